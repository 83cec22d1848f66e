// Replicas whose devices leave the tailnet with them, and a Deployment of one's own whose pods are devices.
package main

import (
	appsv1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/apps/v1"
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	metav1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/meta/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	sidecar "github.com/tailscale-sidecar/tailscale-sidecar/sdk/go/tailscalesidecar"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		cfg := config.New(ctx, "")
		auth := &sidecar.AuthArgs{OauthClient: &sidecar.OAuthClientArgs{ClientSecret: cfg.RequireSecret("clientSecret")}}

		store, err := sidecar.NewTailscaleSidecarStatefulSet(ctx, "store", &sidecar.TailscaleSidecarStatefulSetArgs{
			PodSpec:       pod("store"),
			Auth:          auth,
			Replicas:      pulumi.Int(2),
			Tags:          pulumi.StringArray{pulumi.String("tag:k8s")},
			Networking:    &sidecar.NetworkingArgs{UserspaceNetworking: &sidecar.UserspaceNetworkingArgs{}},
			State:         &sidecar.StateArgs{SecretState: &sidecar.SecretStateArgs{Access: sidecar.SecretStateAccessGuarded}},
			DeviceCleanup: &sidecar.DeviceCleanupArgs{ClientSecret: cfg.RequireSecret("cleanupSecret")},
		})
		if err != nil {
			return err
		}

		labels := pulumi.StringMap{"app": pulumi.String("web")}
		web, err := sidecar.NewTailscaleSidecar(ctx, "web", &sidecar.TailscaleSidecarArgs{
			Workload: pulumi.String("web"),
			Auth:     auth,
			Tags:     pulumi.StringArray{pulumi.String("tag:k8s")},
			Deployment: &appsv1.DeploymentSpecArgs{
				Replicas: pulumi.Int(2),
				Selector: &metav1.LabelSelectorArgs{MatchLabels: labels},
				Template: &corev1.PodTemplateSpecArgs{Metadata: &metav1.ObjectMetaArgs{Labels: labels}, Spec: pod("web")},
			},
		})
		if err != nil {
			return err
		}
		_, err = appsv1.NewDeployment(ctx, "web", &appsv1.DeploymentArgs{
			Metadata: &metav1.ObjectMetaArgs{Name: pulumi.String("web")},
			Spec:     web.Deployment,
		})
		if err != nil {
			return err
		}
		ctx.Export("devices", store.Devices)
		return nil
	})
}

func pod(name string) *corev1.PodSpecArgs {
	return &corev1.PodSpecArgs{
		Containers: corev1.ContainerArray{
			&corev1.ContainerArgs{Name: pulumi.String(name), Image: pulumi.String("nginx:1.29")},
		},
	}
}
