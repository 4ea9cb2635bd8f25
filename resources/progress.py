"""A run logger for people at a terminal: one short line for what a job says.

Belongs here: the format. Does not belong here: Dagster's own records, which keep everything.
"""

import logging
import sys

import dagster as dg


class _Short(logging.Formatter):
    """Only the step and the message; Dagster's own prefix holds run ids that nobody reads."""

    def format(self, record: logging.LogRecord) -> str:
        meta = getattr(record, "dagster_meta", None) or {}
        step = meta.get("step_key") or meta.get("job_name") or ""
        text = meta.get("orig_message") or record.getMessage()
        mark = "  !" if record.levelno >= logging.WARNING else "   "
        return f"{self.formatTime(record, '%H:%M:%S')} {mark} {step:<24} {text}"


def _is_news(record: logging.LogRecord) -> bool:
    """Whether whoever stopped a run would not know it already."""
    return "interrupted unexpectedly" not in record.getMessage()


@dg.logger(
    config_schema=dg.Field(
        {"log_level": dg.Field(str, default_value="INFO", description="Least level shown.")}
    ),
    description="Short lines for a terminal.",
)
def terminal_logger(init_context: dg.InitLoggerContext) -> logging.Logger:
    """The logger."""
    logger = logging.Logger("terminal", level=init_context.logger_config["log_level"])
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Short())
    handler.addFilter(_is_news)
    logger.addHandler(handler)
    return logger
