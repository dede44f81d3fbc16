"""Admission: plugins that change or refuse writes after they were authorized. One module each, named as in Kubernetes."""
