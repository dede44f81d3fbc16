"""LTI 1.3: learning platforms open lessons here and get grades back. docs/lti.md tells how to connect one."""
