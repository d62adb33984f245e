"""Makes .venv and installs the pinned requirements; does nothing when that is done already.

With the argument `bench` it does so for .venv-bench, which `make bench` keeps apart: the peers of
the comparison are no part of the project.

Runs on a bare interpreter, before anything is installed: standard library only, and readable by
interpreters that are too old, so that they get a message and no SyntaxError.
"""

import fcntl
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
IS_BENCH = sys.argv[1:] == ["bench"]
NAME = ".venv-bench" if IS_BENCH else ".venv"
VENV = os.path.join(ROOT, NAME)
VENV_PYTHON = os.path.join(VENV, "bin", "python")
# A copy of the requirements as they were when they were installed.
INSTALLED = os.path.join(VENV, "installed-requirements.txt")
# The lock pins every file by its hash; the peers of the benchmark are not part of it.
WANTED = "devtools/benchmarks/requirements.txt" if IS_BENCH else "locks/dev.txt"
HOW = ["-c", "constraints.txt"] if IS_BENCH else ["--require-hashes"]
REQUIREMENTS = ("requirements.txt", WANTED, "constraints.txt")


def main():
    """Return the exit code."""
    if sys.version_info < (3, 11):
        found = ".".join(map(str, sys.version_info[:3]))
        return fail(
            "novitai needs Python 3.11 or newer; %s is %s." % (sys.executable, found)
            + "\nName another one: make setup PYTHON=/path/to/python3.11"
        )
    with open(os.path.join(ROOT, "scripts", "setup.py")) as lock:
        # `make demo` and `make test` in two terminals of a fresh clone: one installs, one waits.
        fcntl.flock(lock, fcntl.LOCK_EX)
        return 0 if is_done() else install()


def is_done():
    try:
        with open(INSTALLED) as file:
            return file.read() == wanted() and os.access(VENV_PYTHON, os.X_OK)
    except OSError:
        return False


def wanted():
    # The folder is in it as well: a virtual environment that was copied along with its checkout
    # would go on using the one it was copied from.
    texts = [VENV + "\n"]
    for name in REQUIREMENTS:
        with open(os.path.join(ROOT, name)) as file:
            texts.append(file.read())
    return "".join(texts)


def install():
    say("Installing into %s (this once; a minute or two)..." % NAME)
    problem = make_venv() or install_requirements()
    if problem:
        return fail(problem)
    with open(INSTALLED, "w") as file:
        file.write(wanted())
    return 0


def make_venv():
    """Return what went wrong, or None."""
    if os.path.islink(VENV):
        os.unlink(VENV)  # --clear would empty the folder that it points to.
    if run([sys.executable, "-m", "venv", "--clear", VENV])[0] == 0:
        return None
    # Debian and Ubuntu keep ensurepip in a package of its own; a pip outside will do as well.
    code, output = run([sys.executable, "-m", "venv", "--clear", "--without-pip", VENV])
    if (
        code == 0
        and run([sys.executable, "-m", "pip", "--python", VENV_PYTHON, "--version"])[0] == 0
    ):
        return None
    return (
        "%s cannot make a virtual environment with pip.\n" % sys.executable
        + "On Debian or Ubuntu: apt-get install python3-venv\n"
        + output
    )


def install_requirements():
    """Return what went wrong, or None."""
    pip = [VENV_PYTHON, "-m", "pip"]
    if run(pip + ["--version"])[0] != 0:
        pip = [sys.executable, "-m", "pip", "--python", VENV_PYTHON]
    options = ["--quiet", "--disable-pip-version-check", "--no-input"]
    code, output = run(pip + ["install"] + options + ["-r", WANTED] + HOW)
    if code == 0:
        return None
    return "pip could not install %s (it needs the network this once):\n" % WANTED + output


def run(command):
    """Run quietly; return the exit code and the last lines of the output."""
    environment = dict(os.environ, PIP_USER="0", PYTHONNOUSERSITE="1")
    for name in ("PYTHONHOME", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX"):
        environment.pop(name, None)
    with tempfile.TemporaryFile("w+") as output:
        code = subprocess.call(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        output.seek(0)
        return code, "".join(output.readlines()[-15:])


def say(text):
    # Not to stdout: that belongs to what `make run` prints.
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def fail(text):
    say(text.rstrip())
    return 1


if __name__ == "__main__":
    sys.exit(main())
