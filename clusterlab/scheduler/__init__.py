"""kube-scheduler: decides on which node each pod runs, and can tell why."""

from clusterlab.scheduler.scheduler import Scheduler, SchedulerProcess, scheduler

__all__ = ["Scheduler", "SchedulerProcess", "scheduler"]
