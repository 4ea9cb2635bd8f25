"""Whether messages that were due kept the promises of contact, judged beside the gate.

Belongs here: counting what broke which promise. Does not belong here: the gate itself
(`engagement_assets.decisions.contact`), whose code is not used here.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from engagement_assets.decisions.clocks import local_times
from engagement_assets.decisions.contact.limits import ContactLimits
from engagement_assets.governance.audit.evidence import Contacts

HELD_OUT = "went to customers of the global holdout"
OPTED_OUT = "went to customers who had opted out"
NO_CONSENT = "were without the consent that they need"
AT_NIGHT = "could be sent in the quiet hours of the customer's clock"
DAY_CAP = "were beyond the limit of a day"
WEEK_CAP = "were beyond the limit of a week"
UNKNOWN = "went to nobody who is a customer"
WEEK = np.timedelta64(7, "D")


@dataclass
class ContactCount:
    """Counts messages and breaches, a day at a time.

    Attributes:
        limits: How often and when customers may be contacted.
    """

    limits: ContactLimits
    _days: int = 0
    _messages: int = 0
    _breaches: Counter[str] = field(default_factory=Counter)
    _sent: list[pd.DataFrame] = field(default_factory=list)

    def add(self, due: pd.DataFrame, people: pd.DataFrame, consents: pd.DataFrame) -> None:
        """Count the messages of a day.

        Args:
            due: `customer_id`, `snapshot_date`, `purpose` (null: none is asked for), `not_before`
                and `not_after` (UTC without zone).
            people: `customer_id`, `time_zone`, `holdout`, `opted_out`, as known on that day.
            consents: `customer_id` and `purpose` of each consent that held on that day.
        """
        self._days += 1
        self._messages += len(due)
        if due.empty:
            return
        rows = due.merge(people, on="customer_id", how="left", validate="m:1")
        agreed = set(zip(consents["customer_id"], consents["purpose"], strict=True))
        asked = zip(rows["customer_id"], rows["purpose"], strict=True)
        self._breaches[UNKNOWN] += int(rows["time_zone"].isna().sum())
        self._breaches[HELD_OUT] += int(rows["holdout"].eq(True).sum())
        self._breaches[OPTED_OUT] += int(rows["opted_out"].eq(True).sum())
        self._breaches[NO_CONSENT] += sum(
            pd.notna(pair[1]) and pair not in agreed for pair in asked
        )
        self._breaches[AT_NIGHT] += int(self._at_night(rows).sum())
        each = due.groupby("customer_id").size()
        self._breaches[DAY_CAP] += int((each - self.limits.a_day).clip(lower=0).sum())
        self._sent.append(due[["customer_id", "snapshot_date"]])

    def _at_night(self, rows: pd.DataFrame) -> pd.Series:
        """Return which messages may be sent at some instant of a night."""
        first = local_times(rows["not_before"].to_numpy("datetime64[us]"), rows["time_zone"])
        # the last instant lies before the end
        ends = rows["not_after"] - pd.Timedelta(1, "us")
        last = local_times(ends.to_numpy("datetime64[us]"), rows["time_zone"])
        day = (self.limits.quiet_to, self.limits.quiet_from - 1)
        open_both = first.dt.hour.between(*day) & last.dt.hour.between(*day)
        same_day = first.dt.date == last.dt.date
        night: pd.Series = ~(open_both & same_day) & rows["time_zone"].notna().to_numpy()
        return night

    def counted(self) -> Contacts:
        """Return what was counted, with the limit of a week over all days."""
        breaches = Counter(self._breaches)
        if self._sent:
            sent = pd.concat(self._sent).sort_values(["customer_id", "snapshot_date"])
            days = pd.to_datetime(sent["snapshot_date"])
            # the message that many places earlier lies within the same seven days
            earlier = days.groupby(sent["customer_id"].to_numpy()).shift(self.limits.a_week)
            breaches[WEEK_CAP] = int((days - earlier < WEEK).sum())
        return Contacts(days=self._days, messages=self._messages, breaches=dict(breaches))
