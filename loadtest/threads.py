"""Locust with thread users: `python -m loadtest.threads` takes Locust's arguments."""

import os

if __name__ == "__main__":
    # Locust reads this variable when it is imported, and `loadtest.load` imports it.
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    from loadtest.load.users.thread_users import main

    main()
