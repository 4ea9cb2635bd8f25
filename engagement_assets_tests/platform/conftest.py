"""The homes that these tests share."""

from engagement_assets_tests.platform.made_homes import home, made_home, year

__all__ = ["home", "made_home", "year"]
