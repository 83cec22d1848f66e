using System.Collections.Generic;
using Pulumi;
using Pulumi.Kubernetes.Types.Inputs.Core.V1;
using Pulumi.TailscaleSidecar;
using Pulumi.TailscaleSidecar.Inputs;

return await Deployment.RunAsync(() =>
{
    var config = new Config();
    var app = new TailscaleSidecarStatefulSet("my-app", new()
    {
        PodSpec = new PodSpecArgs { Containers = { new ContainerArgs { Name = "app", Image = "nginx:1.29" } } },
        Auth = new AuthArgs { OauthClient = new OAuthClientArgs { ClientSecret = config.RequireSecret("clientSecret") } },
        Replicas = 2,
        Tags = { "tag:k8s" },
    });
    return new Dictionary<string, object?> { ["devices"] = app.Devices };
});
