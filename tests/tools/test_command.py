"""``manage.py genscache``: what it says, what it does, and what it refuses."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from genscache import cached, stats
from genscache.engine import Engine
from genscache.events import Event, Invalidated
from genscache.exceptions import StoreUnavailable
from genscache.stores.base import Answer, Operation, Store
from tests.reads.conftest import Use
from tests.site.news.models import Article, Author, Section

pytestmark = pytest.mark.django_db(transaction=True)

articles: Any = Article.objects
HERE = "tests.tools.test_command"


@cached(timeout=60)
def titles(prefix: str = "", *, limit: int = 5) -> list[str]:
    return list(Article.objects.filter(title__startswith=prefix).values_list("title", flat=True)[:limit])


@cached("prices")
async def price(number: int) -> int:
    return number


class Shop:
    @cached("prices")
    @classmethod
    def best(cls, number: int) -> int:
        return number

    @cached("prices")
    def total(self) -> int:
        return 1


def plain() -> None: ...


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("genscache", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def article(title: str = "One") -> Article:
    author, _ = Author.objects.get_or_create(name="Ada")
    section, _ = Section.objects.get_or_create(name="home")
    return Article.objects.create(title=title, author=author, section=section)


class Dead(Store):
    """Answers nothing."""

    def __init__(self, store: Store) -> None:
        self.capabilities = store.capabilities

    def execute(self, operation: Operation[Answer]) -> Answer:
        raise StoreUnavailable("The store redis://host does not answer.")

    def close(self) -> None: ...


# -- invalidate


@pytest.mark.parametrize(
    ("arguments", "counters"),
    [
        (["news.Section"], ["{default.news_section}:model"]),
        (["news.section"], ["{default.news_section}:model"]),
        (["news.Section:5"], ["{default.news_section}:object=5", "{default.news_section}:rows"]),
        (["--name", "prices", "--name", "rates"], ["{prices}:named", "{rates}:named"]),
        (["--table", "news_section"], ["{default.news_section}:model"]),
        (["--all"], ["{*}:site"]),
        (["news.Country:a:b"], ["{default.news_country}:object=a%3Ab", "{default.news_country}:rows"]),
    ],
)
def test_what_is_named_is_bumped_and_nothing_else(
    engine: Engine, arguments: list[str], counters: list[str]
) -> None:
    heard: list[Event] = []
    engine.hub.subscribe(heard.append)

    dry = answer("invalidate", *arguments, "--dry-run")
    assert heard == []
    done = answer("invalidate", *arguments)

    assert [event.count for event in heard if isinstance(event, Invalidated)] == [len(done["namespaces"])]
    assert (dry.pop("dry_run"), done.pop("dry_run")) == (True, False)
    assert dry == done
    ours = {
        each["counter"].removeprefix(f"{engine.settings.prefix}:1:")
        for each in done["namespaces"]
        if "{default." in each["counter"] or "{default" not in each["counter"]
    }
    assert ours >= set(counters)
    assert all("default" not in each or each in counters or ":match" in each for each in ours)


def test_an_entry_is_gone_afterwards_and_not_after_a_dry_run(engine: Engine) -> None:
    article()
    titles()
    assert "Would invalidate" in run("invalidate", "news.Article", "--dry-run")
    titles()
    assert stats()["hit"] == 1
    assert "Invalidated" in run("invalidate", "news.Article")
    titles()
    assert stats()["miss"] == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nothing was named. Name models (blog.Post)"),
        (["news.Artcle"], "Did you mean 'news.Article'?"),
        (["prices"], "For a name write --name prices, for a table --table prices."),
        (["news.Article:"], "has no primary key after the colon. Write news.Article:5"),
        (["news.Article:x"], "'x' cannot be a primary key of news.Article"),
        (["--name", "news.Article"], "has the form of a model's label"),
        (["--table", "news_artcle"], "Did you mean 'news_article'?"),
        (["news.Article", "--name", ""], "is not a name"),
    ],
)
def test_what_does_not_exist_is_refused_and_nothing_is_bumped(
    engine: Engine, arguments: list[str], message: str
) -> None:
    with pytest.raises(CommandError) as caught:
        run("invalidate", *arguments)
    assert message in str(caught.value)
    assert "invalidation" not in stats()


@pytest.mark.parametrize("on_outage", ["refuse", "proceed"])
def test_an_invalidation_that_did_not_reach_the_store_is_an_error(use: Use, on_outage: str) -> None:
    """Also where the setting lets a write go on: the process that would tell the store later is this one."""
    engine = use(ON_OUTAGE=on_outage)
    engine._store = Dead(engine.store)

    with pytest.raises(CommandError, match="Nothing is sure to be invalidated"):
        run("invalidate", "news.Article")

    engine.unsettled.__init__()  # type: ignore[misc]  # nothing is owed when the process ends


def test_a_store_of_this_process_alone_is_warned_of(engine: Engine) -> None:
    err = StringIO()
    call_command("genscache", "invalidate", "--all", stdout=StringIO(), stderr=err)
    assert "belongs to one process" in err.getvalue()


# -- explain


def test_a_function_is_explained_with_its_arguments(engine: Engine) -> None:
    article()
    assert answer("explain", f"{HERE}.titles", "O", "limit=3")["outcome"] == "miss"
    titles("O", limit=3)
    found = answer("explain", f"{HERE}.titles", "O", "limit=3")
    assert found["outcome"] == "hit"
    assert found["what"] == f"{HERE}.titles"
    assert "any row of news.Article on default" in {each["what"] for each in found["dependencies"]}
    assert run("explain", f"{HERE}.titles", "O", "limit=3").startswith(f"HIT  {HERE}.titles")
    assert answer("explain", f"{HERE}.titles", "'O'")["outcome"] == "miss"
    assert answer("explain", f"{HERE}.titles", "P")["outcome"] == "miss"


def test_a_number_is_a_number_and_not_a_text(engine: Engine) -> None:
    Shop.best(3)  # type: ignore[call-arg, arg-type]  # the type of a class method is not followed
    assert answer("explain", f"{HERE}.Shop.best", "3")["outcome"] == "hit"
    assert answer("explain", f"{HERE}.Shop.best", "'3'")["outcome"] == "miss"


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["news.Article"], "news.Article.list"),
        (["news.Article", "views=3", "--op", "count"], "news.Article.count"),
        (["news.Article", "pk__in=[1,2]", "title=One"], "news.Article.list"),
        (["news.Article:5"], "news.Article.get"),
        (["news.Article:5", "--op", "exists"], "news.Article.exists"),
        (["news.Article", "--op", "first"], "news.Article.list"),
    ],
)
def test_a_model_is_explained_with_conditions(engine: Engine, arguments: list[str], what: str) -> None:
    found = answer("explain", *arguments)
    assert (found["what"], found["outcome"]) == (what, "bypass")
    assert "no policy for news.Article" in found["reason"]
    assert answer("explain", *arguments, "--cache")["outcome"] == "miss"


def test_an_object_is_the_same_as_in_the_program(engine: Engine) -> None:
    one = article()
    articles.cache().get(pk=one.pk)
    found = answer("explain", f"news.Article:{one.pk}", "--cache")
    assert found["outcome"] == "hit"
    assert f"object {one.pk} of news.Article on default" in {each["what"] for each in found["dependencies"]}


@pytest.mark.parametrize(
    "arguments", [[f"{HERE}.titles"], [f"{HERE}.price", "3"], ["news.Article", "--cache"]]
)
def test_it_is_run_where_that_is_asked_for(engine: Engine, arguments: list[str]) -> None:
    assert answer("explain", *arguments, "--run")["reads"][0]["outcome"] == "miss"
    found = answer("explain", *arguments, "--run")
    assert (found["outcome"], found["reads"][0]["outcome"]) == ("hit", "hit")
    assert "HIT" in run("explain", *arguments, "--run").split("when it was run")[1]


def test_an_object_that_is_not_there_is_no_error(engine: Engine) -> None:
    assert answer("explain", "news.Article:5", "--cache", "--run")["reads"][0]["outcome"] == "miss"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "is neither a model (blog.Post), an object (blog.Post:5) nor the dotted path"),
        ([f"{HERE}.nothing"], f"'{HERE}' has no 'nothing'"),
        ([f"{HERE}.plain"], "Put @cached on it."),
        ([f"{HERE}.titles", "1", "2", "3"], "positional argument"),
        ([f"{HERE}.Shop.total"], "missing 1 required positional argument: 'self'"),
        ([f"{HERE}.titles", "--op", "count"], "--op and --cache are for models"),
        (["news.Artcle"], "Did you mean 'news.Article'?"),
        (["news.Artcle:5"], "Did you mean 'news.Article'?"),
        (["news.Article:x"], "'x' cannot be a primary key"),
        (["news.Article", "titel=x"], "Choices are: "),
        (["news.Article", "pk=x"], "expected a number"),
        (["news.Article", "5"], "Write field=value, such as pk=5"),
        (["news.Article", "--op", "counts"], "Use 'count'"),
    ],
)
def test_what_cannot_be_explained_is_refused(engine: Engine, arguments: list[str], message: str) -> None:
    with pytest.raises(CommandError) as caught:
        run("explain", *arguments)
    assert message in str(caught.value)


# -- stats


def test_stats_tell_the_store_the_settings_and_the_models(use: Use) -> None:
    use(MODELS={"news.*": {"cache": ["get"], "timeout": 60}}, KEY_CONTEXT=f"{HERE}.context")

    found = answer("stats")

    assert found["store"]["url"] == "memory://"
    assert found["store"]["reachable"] is True
    assert found["store"]["latency_ms"] >= 0
    assert found["settings"]["MODELS"] == {"news.*": {"cache": ["get"], "timeout": 60.0}}
    assert found["settings"]["KEY_CONTEXT"] == f"{HERE}.context"
    assert found["models"]["policies"]["news.Article"]["cache"] == ["get"]
    assert "sessions.Session" in found["models"]["untracked"]
    assert found["process"]["hit_ratio"] is None
    text = run("stats")
    assert "Counts belong to a process" in text
    assert "cache: get; timeout: 60.0" in text


def context() -> str:
    return ""


def test_the_counts_are_those_of_the_process(engine: Engine) -> None:
    titles()
    titles()
    assert answer("stats")["process"] | {"pid": 0, "counts": {}} == {
        "pid": 0,
        "reads": 2,
        "hit_ratio": 0.5,
        "counts": {},
    }
    assert "hit_ratio                  0.5" in run("stats")


def test_a_password_is_not_shown_and_a_dead_store_is_an_error(use: Use) -> None:
    use(STORE="redis://user:hidden@127.0.0.1:1/0")
    out = StringIO()
    with pytest.raises(CommandError, match="does not answer"):
        call_command("genscache", "stats", "--json", stdout=out, stderr=StringIO())
    found = json.loads(out.getvalue())
    assert found["store"]["reachable"] is False
    assert found["store"]["url"] == found["settings"]["STORE"] == "redis://user:***@127.0.0.1:1/0"
    assert "hidden" not in out.getvalue()


def test_nothing_is_written_and_no_key_is_looked_for(every_store: Engine) -> None:
    titles()
    before = stats()
    assert answer("stats")["store"]["everything_invalidated_at"]
    assert stats() == before
