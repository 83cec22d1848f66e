// Replicas whose devices leave the tailnet with them, and a Deployment of one's own whose pods are devices.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { TailscaleSidecar, TailscaleSidecarStatefulSet } from "@tailscale-sidecar/pulumi";

const config = new pulumi.Config();
const auth = { oauthClient: { clientSecret: config.requireSecret("clientSecret") } };

const store = new TailscaleSidecarStatefulSet("store", {
    podSpec: { containers: [{ name: "store", image: "nginx:1.29" }] },
    auth,
    replicas: 2,
    tags: ["tag:k8s"],
    networking: { userspaceNetworking: {} },
    state: { secretState: { access: "guarded" } },
    deviceCleanup: { clientSecret: config.requireSecret("cleanupSecret") },
});

const labels = { app: "web" };
const sidecar = new TailscaleSidecar("web", {
    workload: "web",
    auth,
    tags: ["tag:k8s"],
    deployment: {
        replicas: 2,
        selector: { matchLabels: labels },
        template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "nginx:1.29" }] } },
    },
});
new k8s.apps.v1.Deployment("web", { metadata: { name: "web" }, spec: sidecar.deployment });

export const devices = store.devices;
