"""The generic registry: one implementation of create, read, update, patch and delete for all kinds, with hooks for the few that
need more. Follows staging/src/k8s.io/apiserver/pkg/registry/generic/registry and pkg/registry."""
