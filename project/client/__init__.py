"""The domains of this project, called from another service as if they were here.

connect("grpcs://backend:50051", token="...")   # or from_env()
product = catalog.get_product(7)                # raises errors.NotFound, ...

The functions, their arguments, results and errors are those of each domain's `public.py`. This is the client
package's top: `project/wheel.py` joins it with the modules that need no Django.
"""

from apps.common import call, errors
from apps.common.actor import SYSTEM, Actor
from apps.common.call import acting_as
from apps.common.grpc.channel import Tls
from apps.common.pages import Page
from project.client.remote import connect, from_env, stub

__all__ = ["SYSTEM", "Actor", "Page", "Tls", "acting_as", "call", "connect", "errors", "from_env", "stub"]
