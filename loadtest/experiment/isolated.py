"""Starts a module that uses Locust without Locust's settings from outside of its command line.

`python -m loadtest.experiment.isolated MODULE ARGUMENTS` does what `python -m MODULE ARGUMENTS`
does, whatever the environment and the configuration files of Locust say.
"""

import os
import runpy
import sys

# Locust looks at it when it is imported. Whether gevent patches a run is for --model to say.
UNPATCHED = "LOCUST_SKIP_MONKEY_PATCH"

if __name__ == "__main__":
    module = sys.argv.pop(1)
    before = os.environ.pop(UNPATCHED, "")
    if module == "loadtest.threads":
        os.environ[UNPATCHED] = "1"
    from loadtest.experiment.outside import shut_out

    shut_out({UNPATCHED: before})
    runpy.run_module(module, run_name="__main__", alter_sys=True)
