package main

import (
	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi/config"
	"github.com/tailscale-sidecar/tailscale-sidecar/sdk/go/tailscalesidecar"
)

func main() {
	pulumi.Run(func(ctx *pulumi.Context) error {
		cfg := config.New(ctx, "")
		app, err := tailscalesidecar.NewTailscaleSidecarStatefulSet(ctx, "my-app", &tailscalesidecar.TailscaleSidecarStatefulSetArgs{
			PodSpec: &corev1.PodSpecArgs{
				Containers: corev1.ContainerArray{
					&corev1.ContainerArgs{Name: pulumi.String("app"), Image: pulumi.String("nginx:1.29")},
				},
			},
			Auth: &tailscalesidecar.AuthArgs{
				OauthClient: &tailscalesidecar.OAuthClientArgs{ClientSecret: cfg.RequireSecret("clientSecret")},
			},
			Replicas: pulumi.Int(2),
			Tags:     pulumi.StringArray{pulumi.String("tag:k8s")},
		})
		if err != nil {
			return err
		}
		ctx.Export("devices", app.Devices)
		return nil
	})
}
