"""Django's Redis cache, with connections shared by the whole process."""

from typing import Any

from django.core.cache.backends import redis

_clients: dict[tuple[str, ...], redis.RedisCacheClient] = {}


class RedisCache(redis.RedisCache):
    """Django makes a cache a context, and the gRPC server a context a call: each would connect anew."""

    _class: Any
    _servers: list[str]
    _options: dict[str, Any]

    @property
    def _cache(self) -> redis.RedisCacheClient:
        servers = tuple(self._servers)
        if servers not in _clients:
            _clients[servers] = self._class(self._servers, **self._options)
        return _clients[servers]
