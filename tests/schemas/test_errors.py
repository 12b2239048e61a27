import pickle

from schemas import ConfigError, DataError, nearest

HELLO = ConfigError("two sources are named 'news'", where="my.toml, ingest.sources[1]", fix="rename one")


def test_an_error_prints_what_where_and_fix():
    assert str(HELLO) == ("two sources are named 'news'\n  where: my.toml, ingest.sources[1]\n  fix:   rename one")


def test_an_error_survives_the_way_to_another_process():
    again = pickle.loads(pickle.dumps(ConfigError.of([HELLO, HELLO])))
    assert (type(again), again.exit_code, str(again)) == (ConfigError, 2, f"{HELLO}\n{HELLO}")


def test_all_problems_are_shown_up_to_twenty():
    many = DataError.of(DataError(f"row {n} is bad", where="x", fix="y") for n in range(25))
    assert many is not None
    assert "row 19 is bad" in str(many)
    assert "row 20 is bad" not in str(many)
    assert str(many).endswith("and 5 more")


def test_no_problems_make_no_error():
    assert ConfigError.of([]) is None


def test_the_nearest_known_name_is_suggested():
    assert nearest("summarise", ["summarize", "chat"]) == "did you mean 'summarize'?"
    assert nearest("qqq", ["summarize", "chat"]) == "known names: chat, summarize"
