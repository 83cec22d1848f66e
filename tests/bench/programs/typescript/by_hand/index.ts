// The same objects as ../component makes, by somebody who has Pulumi's Kubernetes SDK and no package. What is in them stands
// in objects.json, for one app.
import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import { readFileSync } from "fs";
import { join } from "path";

const config = new pulumi.Config();
const kinds: Record<string, new (name: string, args: any, opts: pulumi.CustomResourceOptions) => pulumi.Resource> = {
    Role: k8s.rbac.v1.Role,
    RoleBinding: k8s.rbac.v1.RoleBinding,
    Secret: k8s.core.v1.Secret,
    Service: k8s.core.v1.Service,
    ServiceAccount: k8s.core.v1.ServiceAccount,
    StatefulSet: k8s.apps.v1.StatefulSet,
};
const text = readFileSync(join(__dirname, "objects.json"), "utf-8");
for (let number = 0; number < config.requireNumber("components"); number++) {
    const made: pulumi.Resource[] = [];
    for (const { kind, apiVersion, ...object } of JSON.parse(text.split("app-0").join(`app-${number}`))) {
        const name = `${kind}-${object.metadata.name}`;
        const credential = { TS_CLIENT_ID: "kBENCH", TS_CLIENT_SECRET: config.requireSecret("clientSecret") };
        const own = object.metadata.name.endsWith("-auth") ? { data: undefined, stringData: credential } : {};
        const metadata = { ...object.metadata, namespace: config.require("namespace") };
        const dependsOn = kind === "StatefulSet" ? [...made] : [];
        made.push(new kinds[kind](name, { ...object, ...own, metadata }, { dependsOn }));
    }
}
