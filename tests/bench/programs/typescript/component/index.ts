// As many components as the configuration says, each with the default choices: ../../component in TypeScript.
import * as pulumi from "@pulumi/pulumi";
import { TailscaleSidecarStatefulSet } from "@tailscale-sidecar/pulumi";

const config = new pulumi.Config();
for (let number = 0; number < config.requireNumber("components"); number++) {
    new TailscaleSidecarStatefulSet(`app-${number}`, {
        podSpec: { containers: [{ name: "app", image: "nginx:1.29" }] },
        auth: { oauthClient: { clientId: "kBENCH", clientSecret: config.requireSecret("clientSecret") } },
        replicas: 0,
        state: { secretState: { maxReplicas: 1 } },
        namespace: config.require("namespace"),
        tags: ["tag:k8s"],
    });
}
