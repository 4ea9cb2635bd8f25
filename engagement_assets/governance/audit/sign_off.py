"""The committee's signature under an audit.

Belongs here: who signed what, and when. Does not belong here: the audit.
"""

from datetime import UTC, datetime
from typing import Any

from engagement_assets.governance.audit.gathering import AUDITS, SIGN_OFFS, digest
from resources.io_managers import Report
from resources.quarter import Quarter


class SignOffError(ValueError):
    """Nothing can be signed off; the message says why."""


def sign_off(reports: Any, quarter: str, *, by: str, now: datetime | None = None) -> str:
    """Put on record who signed off a quarter's audit as it stands; returns what was signed.

    An audit that is made again and says something else is not signed off any more. Earlier
    signatures stay on record.

    Args:
        reports: Reads and writes reports.
        quarter: Such as `2026-Q4`.
        by: Who signs.
        now: When; now by default.

    Raises:
        SignOffError: There is no such audit, or nobody signs.
    """
    try:
        name = str(Quarter.named(quarter))
    except ValueError as error:
        raise SignOffError(str(error)) from error
    if not by.strip():
        raise SignOffError("BY: say who signs the audit off; it stays on record")
    audit = reports.latest((*AUDITS, name))
    if audit is None:
        raise SignOffError(f"there is no audit of {name}: run the job `ethics_audit`")
    entry = {
        "by": by.strip(),
        "at": (now or datetime.now(UTC)).isoformat(),
        "audit": digest(audit.figures),
        "verdict": audit.figures["verdict"],
        "breaches": len(audit.figures["breaches"]),
    }
    before = reports.latest((*SIGN_OFFS, name))
    history = [*(before.figures["history"] if before else []), entry]
    line = f"{entry['at'][:19]} {entry['by']} signed off {name}: {entry['verdict']}"
    text = "\n".join([*((before.markdown.splitlines()) if before else []), line]) + "\n"
    reports.save((*SIGN_OFFS, name), Report({**entry, "history": history}, text))
    return f"{line}, {entry['breaches']} breaches\n"
