"""The domains of this project, called from another service as if they were here.

connect("grpcs://backend:50051", token="...")   # or from_env()
product = catalog.get_product(7)                # raises errors.NotFound, ...

The functions, their arguments, results and errors are those of each domain's `public.py`. This is the client
package's top: `tools/wheel.py` joins it with the modules that need no Django.
"""

from framework import context, errors
from framework.actor import SYSTEM, Actor
from framework.client.remote import connect, from_env, stub
from framework.context import acting_as
from framework.grpc.channel import Tls
from framework.pages import Page

__all__ = ["SYSTEM", "Actor", "Page", "Tls", "acting_as", "connect", "context", "errors", "from_env", "stub"]
