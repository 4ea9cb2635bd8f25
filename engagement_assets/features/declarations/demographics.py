"""Who the customer is.

Belongs here: the declarations of the group `demographics`. Does not belong here: the other
groups, and how a feature is computed (`sql/features/demographics.sql`).
"""

from engagement_assets.features.declarations.forms import CUSTOMERS, number, of_group, text
from engagement_assets.features.feature import Feature
from engagement_assets.source.contract import GENDERS

FEATURES = of_group(
    "demographics",
    Feature(
        name="age",
        type="int64",
        unit="years",
        meaning="Whole years of age on the snapshot date.",
        sources=(CUSTOMERS,),
        without_rows="null",
        null_note="the birth date is unknown or gives an age outside 0 to 120",
        minimum=0,
        maximum=120,
        generalised="decade",
        sensitive=True,
        model_input=False,
    ),
    text(
        "gender",
        "Gender as the customer stated it.",
        CUSTOMERS,
        null_note="the customer has not stated it",
        allowed=GENDERS,
        sensitive=True,
    ),
    Feature(
        name="location",
        type="string",
        meaning="Region in which the customer lives.",
        sources=(CUSTOMERS,),
        without_rows="null",
        null_note="it is not known",
        generalised="place",
        sensitive=True,
        model_input=False,
    ),
    text(
        "account_type",
        "Kind of account that the customer holds, such as free or premium.",
        CUSTOMERS,
        null_note="it is not known",
    ),
    number(
        "tenure_days",
        "days",
        "Calendar days from the sign-up to the snapshot date; 0 on the day of sign-up.",
        CUSTOMERS,
        without_rows="value",
        whole=True,
        calendar="age",
    ),
)
