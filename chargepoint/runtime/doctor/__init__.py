"""Why a charge point cannot reach its central system: the way there, walked hop by hop, each told with what was tried.

`examine` walks; `findings` judges what came of it, without a socket; `looks` are short looks at a server and its
certificate; `talk` is the WebSocket at the end. The dial is that of the link: `Address`, `Destination`, `dialfailure`.
"""

from .findings import Finding, Hop, State
from .walk import examine

__all__ = ["Finding", "Hop", "State", "examine"]
