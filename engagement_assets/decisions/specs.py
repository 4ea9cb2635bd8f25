"""The decisions of the platform, as declared.

Belongs here: which decisions there are, in the order in which their actions are told. Does not
belong here: what a decision is (its folder) and the assets made of it (`assets.py`).
"""

from engagement_assets.decisions.acquisition.spec import SPEC as ACQUISITION
from engagement_assets.decisions.retention.spec import SPEC as RETENTION
from engagement_assets.decisions.retention_call.spec import SPEC as RETENTION_CALL
from engagement_assets.decisions.review.spec import SPEC as REVIEW
from engagement_assets.decisions.vip.spec import SPEC as VIP

DECISIONS = (RETENTION, RETENTION_CALL, VIP, ACQUISITION, REVIEW)
