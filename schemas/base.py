"""The base every model shares: frozen, and no unknown keys."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A model that cannot change after it is made and refuses keys it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")
