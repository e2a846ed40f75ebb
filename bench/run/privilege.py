"""Root, safely: under sudo everything belongs to the invoking user, and only the meter is root.

    bench started     by a user            nothing to do; the meter is started through `sudo -n`
                      by `sudo bench`      `lower`: act as the invoking user; a command that starts a meter
                                           can still start that one child as root
                                           `give_up`: once the meter runs, root is gone for good
                      by root itself       refused, unless it was asked for with --allow-root

Between the two steps the real user id is still root's, so nothing but the meter may be started: whatever
a model's files or a repository's settings could make run comes after `give_up`. Three places see to it:
`lower` (a command without a meter gives root up at once), `bench.run.sources.started` (as soon as the meter
runs), and `bench.run.workers.process` (before a process that loads a model is started, whatever came before).
Whoever loads a model asks `check_gone` first, in its own process. The command line calls `lower` before any
command begins, so that no folder is made as root; a program that measures itself does so at its first window.
"""

from __future__ import annotations

import os
import pwd

from bench.errors import RunFailed, UserError

KEPT_FOLDERS = (
    "if it is in a folder that JOULEBENCH_CACHE, XDG_CACHE_HOME or HF_HOME names, sudo has dropped that: "
    "sudo --preserve-env=JOULEBENCH_CACHE,XDG_CACHE_HOME,HF_HOME bench ..., or sudo -v and then bench "
    "without sudo"
)


def lower(*, allow_root: bool, for_meter: bool = False) -> None:
    """Act as the invoking user from here on: files, groups and HOME.

    Args:
        allow_root: go on as root where there is no other user.
        for_meter: the command starts a meter, for which root can be taken back until `give_up`.

    Raises:
        UserError: root without an invoking user, and not asked for.
    """
    if os.geteuid() != 0:
        if not for_meter:
            give_up()
        return
    user = invoking_user()
    if user is None:
        if not allow_root:
            raise UserError(
                "started as root, and nothing but the meter may run as root",
                fix="start it as yourself (the meter alone is then started as root), or add --allow-root in "
                "a container that has no other user",
            )
        return
    os.initgroups(user.pw_name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.seteuid(user.pw_uid)
    os.environ.update(HOME=user.pw_dir, USER=user.pw_name, LOGNAME=user.pw_name)
    if not for_meter:
        give_up()


def is_lowered() -> bool:
    """Whether root could still be taken back: only between `lower` and `give_up`."""
    return os.getuid() == 0 and os.geteuid() != 0


def give_up() -> None:
    """Give root up for good, and make sure that it is gone.

    Raises:
        RunFailed: it could be taken back; nothing may be loaded.
    """
    if not is_lowered():
        return
    user_id = os.geteuid()
    os.seteuid(0)
    os.setuid(user_id)
    for regain in (os.setuid, os.seteuid, os.setgid):
        try:
            regain(0)
        except PermissionError:
            continue
        raise RunFailed("root could not be given up, so no model is loaded", fix="start bench without sudo")


def check_gone() -> None:
    """Whoever loads a model asks this first, in its own process.

    Raises:
        RunFailed: somebody typed sudo, and root could be taken back here.
    """
    if invoking_user() is not None and 0 in (os.getuid(), os.geteuid()):
        raise RunFailed(
            "this process could become root, so no model is loaded", fix="start bench without sudo"
        )


def invoking_user() -> pwd.struct_passwd | None:
    """The user who typed sudo; None when there is none, or it is root."""
    try:
        user = pwd.getpwuid(int(os.environ["SUDO_UID"]))
    except (KeyError, ValueError):
        return None
    return user if user.pw_uid != 0 else None
