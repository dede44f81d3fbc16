"""Addresses."""

from django.urls import include, path, re_path

from clusterlab.web import api, charts, debug_api, health, inside_api, lesson_api, look_api, pages

handler404 = "clusterlab.web.pages.not_found"
handler500 = "clusterlab.web.pages.server_error"
handler403 = "clusterlab.web.pages.forbidden"
handler400 = "clusterlab.web.pages.bad_request"

urlpatterns = [
    path("", pages.front, name="front"),
    path("accounts/", include("clusterlab.web.accounts.urls")),
    path("lti/", include("clusterlab.web.lti.urls")),
    path("", include("clusterlab.web.classroom.urls")),
    path("labs/new", pages.new_lab, name="new-lab"),
    path("lessons/", lesson_api.catalogue_page, name="lessons"),
    path("lessons/<slug:name>/certificate", lesson_api.certificate, name="certificate"),
    path("labs/<slug:lab_id>/", pages.lab, name="lab"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz),
    path("metrics", health.metrics),
    path("replays/<slug:replay_id>/", debug_api.replay_page, name="replay"),
    path("api/labs", api.labs),
    path("api/labs/import", debug_api.import_lab),
    path("api/labs/<slug:lab_id>", api.lab),
    path("api/labs/<slug:lab_id>/run", api.run),
    path("api/labs/<slug:lab_id>/play", api.play),
    path("api/labs/<slug:lab_id>/pause", api.pause),
    path("api/labs/<slug:lab_id>/seek", api.seek),
    path("api/labs/<slug:lab_id>/hold", api.hold),
    path("api/labs/<slug:lab_id>/fork", api.fork),
    path("api/labs/<slug:lab_id>/reset", api.reset),
    path("api/labs/<slug:lab_id>/faults", api.faults),
    path("api/labs/<slug:lab_id>/faults/<slug:fault_id>", api.fault),
    path("api/labs/<slug:lab_id>/steps", api.steps),
    path("api/labs/<slug:lab_id>/why", api.why),
    path("api/labs/<slug:lab_id>/request", inside_api.follow),
    re_path(r"^api/labs/(?P<lab_id>[a-z0-9]+)/nodes/(?P<name>[a-z0-9][-a-z0-9.]{0,252})$", inside_api.node),
    path("api/labs/<slug:lab_id>/compare", debug_api.compare),
    path("api/labs/<slug:lab_id>/export", debug_api.export),
    path("api/labs/<slug:lab_id>/breakpoints", debug_api.breakpoints),
    path("api/labs/<slug:lab_id>/replays", debug_api.replays),
    path("api/labs/<slug:lab_id>/replays/<slug:replay_id>", debug_api.replay),
    path("api/labs/<slug:lab_id>/decisions", api.decisions),
    path("api/labs/<slug:lab_id>/charts/<slug:name>", charts.chart),
    path("api/labs/<slug:lab_id>/usage", look_api.usage),
    path("api/labs/<slug:lab_id>/loops", look_api.loops),
    path("api/labs/<slug:lab_id>/inside", look_api.inside),
    path("api/labs/<slug:lab_id>/explain", look_api.explain),
    path("api/labs/<slug:lab_id>/past", look_api.past),
    path("api/labs/<slug:lab_id>/access", look_api.access),
    path("api/labs/<slug:lab_id>/kubeconfig", api.kubeconfig_view),
    path("api/labs/<slug:lab_id>/lesson/checks", lesson_api.checks),
    path("api/labs/<slug:lab_id>/lesson/hints/<slug:name>", lesson_api.hints),
    path("api/labs/<slug:lab_id>/lesson/solution/<slug:name>", lesson_api.solution),
    path("api/labs/<slug:lab_id>/lesson/predict/<slug:name>", lesson_api.predict),
    path("api/labs/<slug:lab_id>/lesson/debrief/<slug:name>", lesson_api.debrief),
    path("api/labs/<slug:lab_id>/lesson/skip/<slug:name>", lesson_api.skip),
    path("api/labs/<slug:lab_id>/lesson/heal/<slug:kind>", lesson_api.heal),
    path("api/labs/<slug:lab_id>/lesson/quiz/<slug:name>", lesson_api.quiz),
    path("api/labs/<slug:lab_id>/lesson/fault/<slug:name>", lesson_api.fault),
    path("api/labs/<slug:lab_id>/lesson/manifests/<str:name>", lesson_api.manifest),
    path("api/lessons/progress", lesson_api.progress),
    path("", include("clusterlab.web.authoring.urls")),
    re_path(r"^api/labs/(?P<lab_id>[a-z0-9]+)/objects/(?P<key>[^/]+(?:/[^/]+){1,2})$", api.objects),
    re_path(r"^api/(?P<rest>.*)$", api.not_here),
]
