"""The scheduler's plugins, one module each, named as in pkg/scheduler/framework/plugins."""
