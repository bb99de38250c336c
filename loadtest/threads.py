"""Locust with users that are threads: `python -m loadtest.threads` takes Locust's arguments."""

import os

if __name__ == "__main__":
    # Looked at when locust is imported, which all of `loadtest.load` does.
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    from loadtest.load.users.thread_users import main

    main()
