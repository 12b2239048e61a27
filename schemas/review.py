"""Settings of the review: what people are shown, and when they may stop. No stage reads them."""

from pydantic import Field

from schemas.base import Strict


class ReviewSettings(Strict):
    """The table [review] of a recipe. Changing it makes no data anew."""

    random_share: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        title="share of the rows that are set apart by lot before ranking and shown among the ranked ones at that "
        "rate; they alone tell how many answers are wrong",
    )
    target_error_rate: float = Field(
        default=0.02,
        gt=0,
        lt=1,
        title="people may stop when the share of wrong answers is surely under this one",
    )
    overlap: float = Field(
        default=0.1,
        ge=0,
        le=1,
        title="share of the rows that two people answer each, so that agreement can be told",
    )
    language: str = Field(
        default="en",
        pattern=r"^[a-z]{2,3}$",
        title="language of rows whose source keeps no column `language`; the screens are in it where they can be",
    )
    pay_per_hour: float | None = Field(default=None, ge=0, title="what an hour of review costs, in your currency")
    pay_per_item: float | None = Field(default=None, ge=0, title="what an answered example costs, in your currency")
