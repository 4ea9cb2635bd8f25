"""The assistant of an installation, opened again when what it may answer from has changed.

Belongs here: from resources to an assistant. Does not belong here: answering (`assistant.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from engagement_assets.chat.assistant import Assistant, Language, language_of
from engagement_assets.chat.catalogue import VIEWS
from engagement_assets.features.tables import KNOWN_TABLES
from engagement_assets.settings.chat import ChatSettings

# Days and withdrawals are looked up again after so long.
LOOK_AGAIN_SECONDS = 5.0


@dataclass
class Assistants:
    """Gives the assistant of now.

    Attributes:
        resources: Of the installation, by name.
        language: The language model; None for the grammar and templates.
    """

    resources: Mapping[str, Any]
    language: Language | None
    _opened: Assistant | None = field(default=None, init=False, repr=False)
    _state: Any = field(default=None, init=False, repr=False)
    _looked: float = field(default=float("-inf"), init=False, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    @classmethod
    def of(cls, resources: Mapping[str, Any], settings: ChatSettings) -> Assistants:
        """Return them of an installation and the settings of the chat."""
        return cls(resources, language_of(settings))

    def __call__(self) -> Assistant:
        """Return the assistant; it is opened anew after a new day or a withdrawal.

        Raises:
            LakeError: A table cannot be read.
        """
        with self._lock:
            if self._opened is None or time.monotonic() - self._looked >= LOOK_AGAIN_SECONDS:
                lake, refusing = self.resources["lake"].lake, self._refusing()
                tables = {table for view in VIEWS.values() for table in view}
                state = (refusing, {table: lake.days(table)[-1:] for table in tables})
                if self._opened is None or state != self._state:
                    log = self.resources["questions"].log
                    log.expire()
                    self._opened = Assistant(lake, log, self.language, refusing)
                    self._state = state
                self._looked = time.monotonic()
            return self._opened

    def _refusing(self) -> frozenset[str]:
        """Who refuses analytics, by all that the lake holds now."""
        engine = self.resources["engine"]
        rows = engine.engine(KNOWN_TABLES).select(engine.sql.query("shared/withheld_analytics"), {})
        return frozenset(rows.column("customer_id").to_pylist())
