"""The processes that run the controllers: kube-controller-manager and the cloud's.

Follows cmd/kube-controller-manager/app/controllermanager.go.
"""

from __future__ import annotations

from dataclasses import dataclass

from clusterlab.client.api import Api, User
from clusterlab.client.leaderelection import ElectedProcess
from clusterlab.client.process import Process
from clusterlab.controllers.attachdetach import AttachDetachController
from clusterlab.controllers.base import BaseController
from clusterlab.controllers.certificate_approval import CSRApprovingController, CSRCleanerController
from clusterlab.controllers.certificates import CSRSigningController
from clusterlab.controllers.clusterrole_aggregation import ClusterRoleAggregationController
from clusterlab.controllers.cronjob import CronJobController
from clusterlab.controllers.daemonset import DaemonSetController
from clusterlab.controllers.deployment import DeploymentController
from clusterlab.controllers.disruption import DisruptionController
from clusterlab.controllers.endpoints import EndpointsController
from clusterlab.controllers.endpointslice import EndpointSliceController
from clusterlab.controllers.endpointslicemirroring import EndpointSliceMirroringController
from clusterlab.controllers.ephemeral_volume import EphemeralVolumeController
from clusterlab.controllers.garbage_collector import GarbageCollector
from clusterlab.controllers.horizontalpodautoscaler import HorizontalPodAutoscalerController
from clusterlab.controllers.job import JobController
from clusterlab.controllers.namespace import NamespaceController
from clusterlab.controllers.node_lifecycle import NodeLifecycleController
from clusterlab.controllers.nodeipam import NodeIpamController
from clusterlab.controllers.persistentvolume import PersistentVolumeBinder
from clusterlab.controllers.podgc import PodGCController
from clusterlab.controllers.provisioner import ExternalProvisioner
from clusterlab.controllers.replicaset import ReplicaSetController
from clusterlab.controllers.replication import ReplicationController
from clusterlab.controllers.resourceclaim import ResourceClaimController
from clusterlab.controllers.resourcequota import ResourceQuotaController
from clusterlab.controllers.service_lb import ServiceLBController
from clusterlab.controllers.serviceaccount import RootCACertPublisher, ServiceAccountController, TokensController
from clusterlab.controllers.servicecidr import ServiceCIDRController
from clusterlab.controllers.statefulset import StatefulSetController
from clusterlab.controllers.taint_eviction import TaintEvictionController
from clusterlab.controllers.ttl import TTLController
from clusterlab.controllers.ttl_after_finished import TTLAfterFinishedController
from clusterlab.controllers.validatingadmissionpolicy_status import ValidatingAdmissionPolicyStatusController
from clusterlab.controllers.volume_protection import PVCProtectionController, PVProtectionController
from clusterlab.machinery.pki import ca_certificate
from clusterlab.sim import Simulation

__all__ = ["CONTROLLERS", "Options", "cloud_controller_manager", "controller_manager"]

USER = User("system:kube-controller-manager", ("system:masters", "system:authenticated"))
CLOUD_USER = User("system:cloud-controller-manager", ("system:masters", "system:authenticated"))


@dataclass(frozen=True)
class Options:
    """The flags of kube-controller-manager that matter here.

    `controllers`: names to run, all when empty. `root_ca`: the cluster's CA certificate (PEM), which pods get; "": the lab's own.
    `cluster_cidr` is what nodes get their pod addresses from, each a network of `node_cidr_bits`; "" leaves nodes without."""

    controllers: tuple[str, ...] = ()
    root_ca: str = ""
    cluster_cidr: str = "10.244.0.0/16"
    node_cidr_bits: int = 24
    user: User = USER
    leader_elect: bool = True


CONTROLLERS: tuple[type[BaseController], ...] = (
    ServiceAccountController, TokensController, RootCACertPublisher, NamespaceController, DeploymentController, ReplicaSetController,
    ReplicationController, EndpointSliceController, NodeLifecycleController, TaintEvictionController, GarbageCollector,
    DaemonSetController, StatefulSetController, JobController, CronJobController, TTLAfterFinishedController,
    HorizontalPodAutoscalerController, DisruptionController, ResourceQuotaController,
    PersistentVolumeBinder, ExternalProvisioner, AttachDetachController, PVCProtectionController, PVProtectionController,
    EphemeralVolumeController,
    EndpointsController, EndpointSliceMirroringController, PodGCController, NodeIpamController, TTLController,
    ClusterRoleAggregationController, CSRSigningController, CSRApprovingController, CSRCleanerController,
    ValidatingAdmissionPolicyStatusController, ResourceClaimController, ServiceCIDRController,
)


def controller_manager(
    sim: Simulation, api: Api, name: str = "kube-controller-manager", options: Options | None = None
) -> Process:
    """Builds the process with all its controllers; `start()` runs it. A second replica has a name like
    "kube-controller-manager/2" and takes over when the first one's lease runs out."""
    options = options or Options()
    make_process = ElectedProcess if options.leader_elect else Process
    process = make_process(sim, name, api, options.user)
    for make in CONTROLLERS:
        if not options.controllers or make.controller_name in options.controllers:
            controller = make(process)
            if isinstance(controller, NodeIpamController):
                controller.cluster_cidr, controller.node_bits = options.cluster_cidr, options.node_cidr_bits
            if isinstance(controller, RootCACertPublisher | TokensController):
                controller.root_ca = options.root_ca or ca_certificate(sim.seed, sim.epoch)
    return process


def cloud_controller_manager(
    sim: Simulation, api: Api, name: str = "cloud-controller-manager", options: Options | None = None
) -> Process:
    """Builds the process of the cloud, which hands out load balancers."""
    options = options or Options(user=CLOUD_USER)
    make_process = ElectedProcess if options.leader_elect else Process
    process = make_process(sim, name, api, options.user)
    ServiceLBController(process)
    return process
