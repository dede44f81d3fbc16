"""The Kubernetes endpoint over TLS, beside the plain one: kubectl sends tokens and client certificates to no other."""
