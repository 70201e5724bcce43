from concurrent.futures import ThreadPoolExecutor

from django.core.cache import cache

from framework.data.cache import RedisCache


def test_all_threads_share_a_client():
    def client(_):
        cache.get("a-key")
        return cache._cache

    with ThreadPoolExecutor(2) as threads:
        first, second = threads.map(client, range(2))

    assert isinstance(cache._connections[cache._alias], RedisCache)
    assert first is second is cache._cache
