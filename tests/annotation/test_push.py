"""Tasks on a real server: each once, whatever happens."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence

import pytest

from annotation.connection import Connection
from annotation.projects import Slot, find_projects
from annotation.push import Pushed, Wanted, push
from tests.annotation.conftest import LabelStudio
from tests.annotation.fault_proxy import FaultProxy
from tests.annotation.sums import accept, config_of, sum_task

pytestmark = pytest.mark.slow


def send(
    connection: Connection,
    recipe: str,
    wanted: Sequence[Wanted],
    limit: int = 1000,
    answered: Collection[int] = (),
) -> Pushed:
    """Push, where all wanted examples wait still."""

    def shown_now(_: Slot, examples: Sequence[str]) -> Mapping[str, str]:
        keys = {str(one.data["example_id"]): str(one.data["task_key"]) for one in wanted}
        return {example: keys[example] for example in examples if example in keys}

    return push(connection, recipe, wanted, config_of, shown_now, limit, answered=answered)


def keys_there(connection: Connection, recipe: str) -> Counter[str]:
    """Return how often each key is on the server."""
    return Counter(
        task["data"]["task_key"]
        for project in find_projects(connection, recipe).values()
        for task in connection.tasks(project.id, ["data"])
    )


def test_a_second_push_sends_nothing(label_studio: LabelStudio, recipe_name: str) -> None:
    wanted = [sum_task(number) for number in range(5)]
    first = send(label_studio.connection, recipe_name, wanted)
    second = send(label_studio.connection, recipe_name, wanted)
    assert (sum(first.sent.values()), first.there) == (5, 0)
    assert (sum(second.sent.values()), second.there) == (0, 5)
    assert set(keys_there(label_studio.connection, recipe_name).values()) == {1}


def test_people_get_the_most_urgent_first_whatever_the_order_of_sending(
    label_studio: LabelStudio, recipe_name: str
) -> None:
    done = send(label_studio.connection, recipe_name, [sum_task(number, n=10) for number in (3, 9, 1, 7)])
    (project,) = done.projects.values()
    served = []
    for _ in range(4):
        task = label_studio.connection.get(f"/api/projects/{project.id}/next")
        served.append(task["data"]["prompt"])
        accept(label_studio.connection, task["id"])
    assert served == ["9 + 1?", "7 + 1?", "3 + 1?", "1 + 1?"]


def test_a_changed_text_replaces_the_task_that_nobody_answered_and_leaves_the_answered_one(
    label_studio: LabelStudio, recipe_name: str
) -> None:
    connection = label_studio.connection
    done = send(connection, recipe_name, [sum_task(1), sum_task(2)])
    (project,) = done.projects.values()
    first, _ = connection.tasks(project.id, ["data"])
    accept(connection, first["id"])
    again = send(connection, recipe_name, [sum_task(1, "two"), sum_task(2, "three")])
    responses = [task["data"]["response"] for task in connection.tasks(project.id, ["data"])]
    assert sorted(responses) == ["2", "three", "two"]  # "2" was answered, "3" was not
    assert (again.replaced, again.withdrawn) == (1, 0)


def test_a_task_whose_example_waits_no_more_is_withdrawn(label_studio: LabelStudio, recipe_name: str) -> None:
    send(label_studio.connection, recipe_name, [sum_task(1), sum_task(2)])
    again = send(label_studio.connection, recipe_name, [sum_task(2)])
    assert (again.withdrawn, again.there) == (1, 1)


def test_a_task_that_somebody_has_begun_is_left_to_them(label_studio: LabelStudio, recipe_name: str) -> None:
    connection = label_studio.connection
    done = send(connection, recipe_name, [sum_task(1)])
    (project,) = done.projects.values()
    (task,) = connection.tasks(project.id, ["data"])
    connection.send("POST", f"/api/tasks/{task['id']}/drafts", {"result": [], "lead_time": 1})
    again = send(connection, recipe_name, [sum_task(1, "two")])
    assert again.replaced == 0
    assert len(connection.tasks(project.id, [])) == 2


def test_what_is_there_twice_loses_the_one_without_an_answer(label_studio: LabelStudio, recipe_name: str) -> None:
    connection = label_studio.connection
    done = send(connection, recipe_name, [sum_task(1)])
    (project,) = done.projects.values()
    connection.send("POST", f"/api/projects/{project.id}/import", [{"data": dict(sum_task(1).data)}])
    second = connection.tasks(project.id, [])[1]["id"]
    accept(connection, second)
    again = send(connection, recipe_name, [sum_task(1)])
    assert again.doubles == 1
    assert [task["id"] for task in connection.tasks(project.id, [])] == [second]


def test_a_task_that_was_added_by_hand_is_not_touched(label_studio: LabelStudio, recipe_name: str) -> None:
    connection = label_studio.connection
    done = send(connection, recipe_name, [sum_task(1)])
    (project,) = done.projects.values()
    by_hand = {key: value for key, value in sum_task(5).data.items() if key != "task_key"}
    connection.send("POST", f"/api/projects/{project.id}/import", [{"data": by_hand}])
    send(connection, recipe_name, [sum_task(1)])
    assert len(connection.tasks(project.id, [])) == 2


def test_the_limit_counts_what_lies_unanswered_there(label_studio: LabelStudio, recipe_name: str) -> None:
    connection = label_studio.connection
    wanted = [sum_task(number) for number in range(9)]
    done = send(connection, recipe_name, wanted, limit=4)
    (project,) = done.projects.values()
    for task in connection.tasks(project.id, [])[:3]:
        accept(connection, task["id"])
    again = send(connection, recipe_name, wanted, limit=4)
    assert (sum(done.sent.values()), sum(again.sent.values())) == (4, 3)


@pytest.mark.parametrize(
    "faults",
    [
        ["reset_after"],
        ["reset_before", "reset_before"],
        ["reset_in_body"],
        ["429"],
        ["500", "502", "503"],
        ["401"],
        ["truncate"],
        ["slow"],
        ["503", "reset_before", "reset_after"],
    ],
    ids="-".join,
)
def test_a_spoiled_import_gives_each_task_once(label_studio: LabelStudio, recipe_name: str, faults: list[str]) -> None:
    wanted = [sum_task(number) for number in range(20)]
    with FaultProxy(label_studio.running.url, faults, lambda line: "/import" in line) as proxy:
        done = send(Connection(proxy.url, label_studio.running.token), recipe_name, wanted)
    assert sum(proxy.hits.values()) == len(faults)
    assert sum(done.sent.values()) == 20
    there = keys_there(label_studio.connection, recipe_name)
    assert (len(there), set(there.values())) == (20, {1})


@pytest.mark.parametrize("fault", ["reset_after", "truncate", "429", "503", "slow", "repeat_page"])
def test_a_spoiled_look_at_the_server_sends_nothing_twice(
    label_studio: LabelStudio, recipe_name: str, fault: str
) -> None:
    wanted = [sum_task(number) for number in range(20)]
    send(label_studio.connection, recipe_name, wanted)
    with FaultProxy(label_studio.running.url, [fault], lambda line: "GET /api/tasks/" in line) as proxy:
        again = send(Connection(proxy.url, label_studio.running.token), recipe_name, wanted)
    assert proxy.hits[fault] == 1
    assert (sum(again.sent.values()), again.there) == (0, 20)


def test_a_full_queue_keeps_no_practice_no_tests_and_no_disputes_away(
    label_studio: LabelStudio, recipe_name: str
) -> None:
    first = send(label_studio.connection, recipe_name, [sum_task(1), sum_task(2)], limit=1)
    assert (sum(first.sent.values()), first.is_full) == (1, True)
    for purpose in ("practice", "test", "dispute"):
        one = sum_task(3)
        there = Wanted(one.slot._replace(purpose=purpose), {**one.data, "task_key": purpose}, one.score)
        done = send(label_studio.connection, recipe_name, [there], limit=1)
        assert (sum(done.sent.values()), done.is_full) == (1, False)
