import pytest

from framework.graphql.loaders import Loaders


class Getter:
    """A batch getter that remembers how it was called."""

    def __init__(self, found):
        self.found = found
        self.calls = []

    def __call__(self, keys):
        self.calls.append(list(keys))
        if isinstance(self.found, Exception):
            raise self.found
        return {key: self.found[key] for key in keys if key in self.found}


def test_loads_are_fetched_in_one_call():
    get = Getter({1: "one", 2: "two"})
    loaders = Loaders()
    first, second = loaders.load(get, 1), loaders.load(get, 2)
    assert (first.result(), second.result()) == ("one", "two")
    assert get.calls == [[1, 2]]


def test_nothing_is_fetched_before_a_result_is_asked_for():
    get = Getter({1: "one"})
    deferred = Loaders().load(get, 1)
    assert not deferred.settle()
    assert deferred.awaits_fetch()
    assert get.calls == []


def test_a_key_is_fetched_once_a_request():
    get = Getter({1: "one"})
    loaders = Loaders()
    assert loaders.load(get, 1) is loaders.load(get, 1)
    assert loaders.load(get, 1).result() == "one"
    assert loaders.load(get, 1).result() == "one"
    assert get.calls == [[1]]


def test_a_missing_key_is_none():
    assert Loaders().load(Getter({}), 1).result() is None


def test_each_batch_function_has_its_own_queue():
    names, prices = Getter({1: "name"}), Getter({1: 10})
    loaders = Loaders()
    name, price = loaders.load(names, 1), loaders.load(prices, 1)
    assert (name.result(), price.result()) == ("name", 10)


def test_a_large_batch_is_split():
    get = Getter({key: key for key in range(5)})
    loaders = Loaders(max_batch_size=2)
    deferreds = [loaders.load(get, key) for key in range(5)]
    assert [deferred.result() for deferred in deferreds] == [0, 1, 2, 3, 4]
    assert get.calls == [[0, 1], [2, 3], [4]]


def test_a_failing_batch_raises_for_each_of_its_keys():
    loaders, get = Loaders(), Getter(LookupError("down"))
    for deferred in [loaders.load(get, 1), loaders.load(get, 2)]:
        with pytest.raises(LookupError, match="down"):
            deferred.result()
    assert get.calls == [[1, 2]]


def test_a_failing_chunk_leaves_the_others_alone():
    def get(keys):
        if 1 in keys:
            raise LookupError("down")
        return {key: key for key in keys}

    loaders = Loaders(max_batch_size=1)
    first, second = loaders.load(get, 1), loaders.load(get, 2)
    assert second.result() == 2
    with pytest.raises(LookupError):
        first.result()


def test_an_exception_in_the_mapping_is_raised_for_its_key_only():
    loaders, get = Loaders(), Getter({1: LookupError("gone"), 2: "two"})
    first, second = loaders.load(get, 1), loaders.load(get, 2)
    assert second.result() == "two"
    with pytest.raises(LookupError, match="gone"):
        first.result()


def test_something_that_is_no_mapping_fails_the_batch():
    with pytest.raises(AttributeError):
        Loaders().load(lambda keys: None, 1).result()


def test_raising_an_error_many_times_does_not_lengthen_its_traceback():
    loaders, error = Loaders(), LookupError("down")
    deferred = loaders.load(Getter(error), 1)
    lengths = set()
    for _ in range(3):
        with pytest.raises(LookupError) as raised:
            deferred.result()
        lengths.add(len(raised.traceback))
    assert len(lengths) == 1


def test_then_maps_the_value():
    assert Loaders().load(Getter({1: 2}), 1).then(lambda value: value + 1).result() == 3


def test_then_may_load_again():
    owners, users = Getter({1: 7}), Getter({7: "Ada"})
    loaders = Loaders()
    deferred = loaders.load(owners, 1).then(lambda owner: loaders.load(users, owner)).then(str.upper)
    assert deferred.result() == "ADA"
    assert (owners.calls, users.calls) == ([[1]], [[7]])


def test_then_is_called_once_and_only_with_a_value():
    calls = []
    loaders = Loaders()
    mapped = loaders.load(Getter({1: "one"}), 1).then(calls.append)
    failed = loaders.load(Getter(LookupError("down")), 1).then(calls.append)
    mapped.result()
    mapped.result()
    with pytest.raises(LookupError):
        failed.result()
    assert calls == ["one"]


def test_then_raises_what_its_function_raises():
    deferred = Loaders().load(Getter({1: 0}), 1).then(lambda value: 1 // value)
    with pytest.raises(ZeroDivisionError):
        deferred.result()


def test_a_long_chain_does_not_exhaust_the_stack():
    get = Getter({key: key + 1 for key in range(5000)})
    loaders = Loaders()

    def follow(value):
        return loaders.load(get, value).then(follow) if value < 3000 else value

    assert loaders.load(get, 0).then(follow).result() == 3000


def test_clear_forgets_what_was_fetched():
    get, other = Getter({1: "old"}), Getter({1: "other"})
    loaders = Loaders()
    loaders.load(get, 1).result()
    loaders.load(other, 1).result()
    get.found = {1: "new"}
    loaders.clear(get)
    assert loaders.load(get, 1).result() == "new"
    assert loaders.load(other, 1).result() == "other"
    assert other.calls == [[1]]
    loaders.clear()
    loaders.load(other, 1).result()
    assert other.calls == [[1], [1]]


def test_clear_keeps_what_is_still_to_be_fetched():
    get = Getter({1: "one"})
    loaders = Loaders()
    waiting = loaders.load(get, 1)
    loaders.clear()
    assert loaders.load(get, 1) is waiting
    assert waiting.result() == "one"
    assert get.calls == [[1]]


def test_a_batch_function_cannot_wait_for_itself():
    loaders = Loaders()

    def get(keys):
        return {key: loaders.load(get, key).result() for key in keys}

    with pytest.raises(RuntimeError, match="own batch"):
        loaders.load(get, 1).result()
