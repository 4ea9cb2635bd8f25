"""Settings of the chat, from the environment: `ENGAGEMENT_CHAT_` and the field's name in capitals.

Belongs here: names, defaults and checks. Does not belong here: what they do.
"""

from typing import ClassVar, Self

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from engagement_assets.settings.fields import Declared, SettingsError, setting

PREFIX = "ENGAGEMENT_CHAT_"
EMBEDDED, BEDROCK = "embedded", "bedrock"


class ChatSettings(Declared):
    """What reads questions and words answers."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)
    page: ClassVar[str] = "docs/ask.md"

    engine: str = setting(
        EMBEDDED,
        "`embedded`, a grammar without any model, or `bedrock`, Claude on Amazon Bedrock",
        pattern=f"^({EMBEDDED}|{BEDROCK})$",
        expected=f"{EMBEDDED} or {BEDROCK}",
    )
    model: str = setting("", "id or ARN of the model, or of an inference profile, on Bedrock")
    region: str = setting("", "region of Bedrock")
    seconds: float = setting(
        10.0, "longest wait for Bedrock, then the grammar and templates answer", gt=0, le=60
    )

    @model_validator(mode="after")
    def _check_bedrock(self) -> Self:
        if self.engine == BEDROCK and not (self.model and self.region):
            raise SettingsError(
                f"{PREFIX}ENGINE=bedrock: expected {PREFIX}MODEL and {PREFIX}REGION too"
            )
        return self
