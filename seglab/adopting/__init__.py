"""Networks of others made into runs, so that they can be looked at and compared like one's own."""

from seglab.adopting.making import Adoption, prepared
from seglab.adopting.mapping import Brought, brought
from seglab.adopting.sources import Network, network

__all__ = ["Adoption", "Brought", "Network", "brought", "network", "prepared"]
