# SPDX-License-Identifier: Apache-2.0
"""A process that has imported MONAI and forks one for each Python program that a test starts, which saves 6 s each.

A fork has the words, folder, environment and output of its own start, and ends as any interpreter does. It shares
with its siblings what a cold start would not: modules of MONAI and what those import, and the seed of hashes. Nothing
of this package is imported here. What depends on the start itself is tested by cold starts.

Each line of the input is a job, each line of the output the exit codes of its ranks; see `warm` in `conftest.py`.
"""

import gc
import json
import os
import runpy
import signal
import sys

import monai.bundle  # noqa: F401

LIMIT = 400  # seconds, of a program that does not end


def become(job, rank):
    """Make this process the program of a job."""
    signal.alarm(LIMIT)
    os.chdir(job["cwd"])
    os.environ.clear()
    os.environ.update(job["env"])
    if job["ranks"] > 1:
        os.environ.update({"RANK": str(rank), "LOCAL_RANK": str(rank)})
    for number, (path, flags) in enumerate(((os.devnull, os.O_RDONLY), *((one, os.O_WRONLY) for one in job["told"]))):
        os.dup2(os.open(path, flags | os.O_APPEND), number)


def execute(kind, *words):
    """Execute what stands after `python` on a command line: a module, a text or a file."""
    if kind == "-m":
        sys.argv, sys.path[0] = list(words), os.getcwd()
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv, sys.path[0] = ["-c", *words[1:]], ""
        exec(compile(words[0], "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv, sys.path[0] = [kind, *words], os.path.dirname(kind)
        runpy.run_path(kind, run_name="__main__")


def codes(children):
    """Exit codes; when one child fails, those that wait for it are ended."""
    found = {}
    while len(found) < len(children):
        child, status = os.wait()
        found[child] = os.waitstatus_to_exitcode(status)
        for other in set(children) - set(found) if found[child] else ():
            os.kill(other, signal.SIGTERM)
    return [found[child] for child in children]


def main():
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    gc.freeze()
    for line in sys.stdin:
        job = json.loads(line)
        children = []
        for rank in range(job["ranks"]):
            children.append(os.fork())
            if children[-1] == 0:
                become(job, rank)
                return execute(*job["words"])
        print(json.dumps(codes(children)), file=answers, flush=True)
    return None


if __name__ == "__main__":
    main()
