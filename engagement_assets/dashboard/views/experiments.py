"""What experiments showed, what the programme brought, and expectations beside measurements."""

from engagement_assets.dashboard.pictures import Picture, intervals, picture_of
from engagement_assets.dashboard.reading import Reader

NOT_SAID = "`not judged` and `cannot be told yet` say that there are too few customers, not that "
NOT_SAID += "there is no effect."


def pictures(reader: Reader) -> list[Picture]:
    """Return the page."""
    return [results(reader), programme(reader), expectations(reader)]


def results(reader: Reader) -> Picture:
    """Return each experiment's effect with its interval."""
    reading = reader.newest("experiments/results")
    rows = reading.rows
    rows = rows.assign(what=rows["experiment"] + ": " + rows["metric"] + ", " + rows["variant"])
    names = ["what", "relative", "relative_low", "relative_high", "verdict", "reason", "units"]
    rows = rows[names].dropna(subset=["relative", "relative_low", "relative_high"])
    return picture_of(
        "What experiments showed",
        rows,
        reading,
        chart=None
        if rows.empty
        else intervals(
            rows,
            of="what",
            value="relative",
            low="relative_low",
            high="relative_high",
            label="Relative difference, 95 % interval",
        ),
        note=NOT_SAID,
        empty="No experiment has an outcome yet.",
    )


def programme(reader: Reader) -> Picture:
    """Return what the programme and its parts brought, with intervals."""
    reading = reader.newest("value/programme")
    names = ["capability", "metric", "method", "verdict", "difference", "low", "high"]
    names += ["units_with", "units_without", "reason"]
    return picture_of("What the programme brought", reading.rows[names], reading, note=NOT_SAID)


def expectations(reader: Reader) -> Picture:
    """Return what was expected beside what was measured."""
    reading = reader.newest("value/business_case")
    names = ["name", "metric", "expected", "measured", "low", "high", "verdict", "customers"]
    return picture_of(
        "Expected and measured", reading.rows[[*names, "reason"]], reading, note=NOT_SAID
    )
