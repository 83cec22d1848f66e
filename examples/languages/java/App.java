import com.pulumi.Pulumi;
import com.pulumi.kubernetes.core.v1.inputs.ContainerArgs;
import com.pulumi.kubernetes.core.v1.inputs.PodSpecArgs;
import com.pulumi.tailscalesidecar.TailscaleSidecarStatefulSet;
import com.pulumi.tailscalesidecar.TailscaleSidecarStatefulSetArgs;
import com.pulumi.tailscalesidecar.inputs.AuthArgs;
import com.pulumi.tailscalesidecar.inputs.OAuthClientArgs;

public class App {
    public static void main(String[] args) {
        Pulumi.run(ctx -> {
            var client = OAuthClientArgs.builder().clientSecret(ctx.config().requireSecret("clientSecret")).build();
            var app = new TailscaleSidecarStatefulSet("my-app", TailscaleSidecarStatefulSetArgs.builder()
                .podSpec(PodSpecArgs.builder()
                    .containers(ContainerArgs.builder().name("app").image("nginx:1.29").build())
                    .build())
                .auth(AuthArgs.builder().oauthClient(client).build())
                .replicas(2)
                .tags("tag:k8s")
                .build());
            ctx.export("devices", app.devices());
        });
    }
}
