// Tun-device-plugin gives pods /dev/net/tun as the resource devic.es/tun, as
// the device plugins that users install do.
package main

import (
	"context"
	"log"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	api "k8s.io/kubelet/pkg/apis/deviceplugin/v1beta1"
)

const (
	resource = "devic.es/tun"
	device   = "/dev/net/tun"
	places   = 100 // a tun device is shared: this many pods may have it
)

type plugin struct {
	api.UnimplementedDevicePluginServer
}

func main() {
	// A kubelet that starts removes the sockets of all plugins: each has to
	// come again.
	for ; ; time.Sleep(200 * time.Millisecond) {
		if err := serve(); err != nil {
			log.Print(err)
		}
	}
}

// serve registers with the kubelet, and returns when the kubelet has gone.
func serve() error {
	// The kubelet clears the folder before it listens, so it has to be first.
	probe, err := net.Dial("unix", api.KubeletSocket)
	if err != nil {
		return err
	}
	probe.Close()
	socket := filepath.Join(api.DevicePluginPath, "tun.sock")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		return err
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	server := grpc.NewServer()
	defer server.Stop()
	api.RegisterDevicePluginServer(server, plugin{})
	go server.Serve(listener) // ends with Stop; the socket tells whether it serves
	if err := register(socket); err != nil {
		return err
	}
	for {
		if _, err := os.Stat(socket); err != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// register tells the kubelet, which then asks back over the plugin's socket.
func register(socket string) error {
	kubelet, err := grpc.NewClient("unix://"+api.KubeletSocket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer kubelet.Close()
	_, err = api.NewRegistrationClient(kubelet).Register(context.Background(), &api.RegisterRequest{
		Version:      api.Version,
		Endpoint:     filepath.Base(socket),
		ResourceName: resource,
	}, grpc.WaitForReady(true))
	return err
}

func (plugin) GetDevicePluginOptions(context.Context, *api.Empty) (*api.DevicePluginOptions, error) {
	return &api.DevicePluginOptions{}, nil
}

func (plugin) ListAndWatch(_ *api.Empty, stream grpc.ServerStreamingServer[api.ListAndWatchResponse]) error {
	devices := make([]*api.Device, places)
	for i := range devices {
		devices[i] = &api.Device{ID: strconv.Itoa(i), Health: api.Healthy}
	}
	if err := stream.Send(&api.ListAndWatchResponse{Devices: devices}); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

func (plugin) Allocate(_ context.Context, request *api.AllocateRequest) (*api.AllocateResponse, error) {
	answer := &api.AllocateResponse{}
	for range request.ContainerRequests {
		answer.ContainerResponses = append(answer.ContainerResponses, &api.ContainerAllocateResponse{
			Devices: []*api.DeviceSpec{{ContainerPath: device, HostPath: device, Permissions: "rw"}},
		})
	}
	return answer, nil
}
