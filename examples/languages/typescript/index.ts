import * as pulumi from "@pulumi/pulumi";
import { TailscaleSidecarStatefulSet } from "@tailscale-sidecar/pulumi";

const config = new pulumi.Config();
const app = new TailscaleSidecarStatefulSet("my-app", {
    podSpec: { containers: [{ name: "app", image: "nginx:1.29" }] },
    auth: { oauthClient: { clientSecret: config.requireSecret("clientSecret") } },
    replicas: 2,
    tags: ["tag:k8s"],
});
export const devices = app.devices;
