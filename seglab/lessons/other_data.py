"""The same lesson on other data: the questions stay, and every answer is computed from runs on that data."""

from __future__ import annotations

from seglab.entry import validated
from seglab.families import Dataset
from seglab.lessons import files, guests
from seglab.lessons.model import Claim, Group, Lesson, Setting

HERE = ("size", "steps")  # reasons whose words on what is here speak of the lesson's own data


def find(name: str) -> Lesson:
    """A lesson by its name, one from elsewhere too: `a`, or `a.camvid` on other data."""
    of, _, data = name.partition(".")
    found = guests.find(of) if guests.NAMED.fullmatch(of) else files.find(of)
    return on(found, data) if data else found


def on(lesson: Lesson, data: str) -> Lesson:
    """The lesson on other data, under a name of its own, `a.camvid`, by which its runs are told apart. Options of the
    data that the other does not have are left out of the groups' bases; a setting that is about one of them, or that
    comes with seglab, has no runs there. Raises SeglabError for data that is unknown."""
    kind = type(validated(Dataset, {"name": data}))
    known = lesson.settings

    def there(key: str) -> bool:
        setting = known[key]
        begun = setting.begins_with is None or there(setting.begins_with)
        return begun and setting.run is None and all(fits(option, kind) for option in setting.set)

    def moved(group: Group) -> Group:
        base = {option: value for option, value in group.base.items() if fits(option, kind)}
        settings = {key: each if there(key) or each.of else without_runs(each) for key, each in group.settings.items()}
        quick = tuple(key for key in group.quick if there(key))
        return group.model_copy(update={"base": base | {"data": data}, "settings": settings, "quick": quick})

    return lesson.renamed(
        f"{lesson.name}.{data}",
        f"{lesson.called} --data {data}",
        groups={name: moved(group) for name, group in lesson.groups.items()},
        claims={name: elsewhere(claim) for name, claim in lesson.claims.items()},
    )


def fits(option: str, kind: type[Dataset]) -> bool:
    """Whether an option of a run can be set on other data as well."""
    field, _, name = option.partition(".")
    return field != "data" or name in kind.model_fields


def without_runs(setting: Setting) -> Setting:
    return setting.model_copy(update={"seeds": (), "run": None})


def elsewhere(claim: Claim) -> Claim:
    """A claim without what it says of the lesson's own data."""
    differs = tuple(
        each.model_copy(update={"here": None}) if each.reason == "data" else each
        for each in claim.differs
        if each.reason not in HERE
    )
    return claim.model_copy(update={"differs": differs})
