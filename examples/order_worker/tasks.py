"""The application: celery --app order_worker.tasks worker."""

from celery import Celery
from celery.signals import worker_process_init
from shop_data.settings import chosen_mistake

from order_worker import broker, work
from order_worker.db import engine

app = Celery("order_worker", broker=broker.URL)
app.conf.update(
    broker_transport_options=broker.options(),
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=1,
)
fulfil = app.task((chosen_mistake("order_worker") or work).fulfil, name="fulfil")


@worker_process_init.connect
def forget_inherited_connections(**_):
    """The connections of the parent process belong to the parent process."""
    engine.dispose(close=False)
