"""What `engagement encrypt` does.

Belongs here: every file of a lake from plain to encrypted, to another key, or back. Does not belong
here: what is done with a file's bytes (`resources.vault`).
"""

from pathlib import Path

from upath import UPath

from engagement_assets.commands.homes import prepare_home
from engagement_assets.commands.records import at_work, records
from engagement_assets.settings.deployment import Deployment, deployment
from engagement_assets.settings.fields import SettingsError
from engagement_assets.settings.installation import CATALOGUE_FILE, Settings
from resources.key_files import make_key
from resources.lake import Lake, LakeError


def encrypt(settings: Settings, *, off: bool) -> str:
    """Encrypt the lake with the first key of LAKE_KEY, or decrypt it; returns what to print.

    A kill leaves each file as it was or as it is to be, and both are read; the next call goes on.

    Args:
        settings: Of the home; without `lake_key` afterwards where the lake was decrypted.
        off: Whether it is decrypted.

    Raises:
        SettingsError: LAKE_KEY is not set or lies in the home, or the lake is on AWS.
        LakeError: A run is at work, or a file cannot be decrypted.
    """
    if deployment() is not Deployment.LOCAL:
        raise SettingsError("on AWS the bucket's KMS key encrypts the lake")
    if not settings.lake_key:
        raise SettingsError("LAKE_KEY: say which file holds the key; it is made where it is not")
    settings = settings.with_values(lake_key=settings.lake_key_file)
    make_key(Path(settings.lake_key))
    lake = Lake(settings.lake_root, key_file=settings.lake_key)
    with records() as instance:
        running = at_work(instance)
    if running:
        raise LakeError(f"{running} could write what is encrypted: wait for it, and try again")
    files = sorted(Path(settings.lake_root).rglob("*.parquet"))
    changed = sum(lake.recode(UPath(path), encrypted=not off) for path in files)
    prepare_home(settings.with_values(lake_key="") if off else settings)
    if off:
        return f"{changed:,} files of the lake are decrypted; no key is needed any more\n"
    (settings.home / CATALOGUE_FILE).unlink(missing_ok=True)
    return (
        f"{changed:,} of {len(files):,} files of the lake were encrypted; the key is in "
        f"{settings.lake_key}: without it nobody reads the lake, so keep a copy apart from it\n"
    )
