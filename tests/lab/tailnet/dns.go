package main

import (
	"maps"
	"net/netip"
	"slices"
	"strings"

	"tailscale.com/tailcfg"
	"tailscale.com/types/dnstype"
)

// dnsSettings are what an admin sets for the whole tailnet.
type dnsSettings struct {
	MagicDNS    bool                `json:"magic_dns"`
	Nameservers []string            `json:"nameservers"`
	SearchPaths []string            `json:"search_paths"`
	Split       map[string][]string `json:"split"`   // domain to its name servers
	Records     map[string]string   `json:"records"` // name to its IP address
}

// dnsChanged tells every device about new DNS settings. The lock must be held.
func (t *tailnet) dnsChanged() {
	t.changed(nil)
	t.dnsSince = t.revision
}

// dnsConfig is what one device is to do about DNS. The lock must be held.
func (t *tailnet) dnsConfig(d *device) *tailcfg.DNSConfig {
	set := t.state.DNS
	config := &tailcfg.DNSConfig{
		Proxied:   set.MagicDNS,
		Domains:   append(slices.Clone(set.SearchPaths), t.domain),
		Resolvers: resolvers(set.Nameservers),
		Routes:    map[string][]*dnstype.Resolver{},
	}
	if set.MagicDNS {
		config.Routes[t.domain] = nil
	}
	for domain, servers := range set.Split {
		config.Routes[strings.TrimSuffix(domain, ".")] = resolvers(servers)
	}
	for _, name := range slices.Sorted(maps.Keys(set.Records)) {
		config.ExtraRecords = append(config.ExtraRecords, tailcfg.DNSRecord{Name: name, Value: set.Records[name]})
		if !inDomain(name, t.domain) {
			// Without a route of its own the name would go to the default
			// resolvers where there are some.
			config.Routes[strings.TrimSuffix(name, ".")] = nil
		}
	}
	if t.state.Settings.HTTPS {
		config.CertDomains = []string{strings.TrimSuffix(t.fqdn(d), ".")}
	}
	return config
}

func inDomain(name, domain string) bool {
	return strings.HasSuffix("."+strings.TrimSuffix(name, "."), "."+domain)
}

func resolvers(addresses []string) []*dnstype.Resolver {
	var list []*dnstype.Resolver
	for _, address := range addresses {
		list = append(list, &dnstype.Resolver{Addr: address})
	}
	return list
}

// badAddress gives the first of the name servers that is not an IP address,
// with or without a port, or an https:// address.
func badAddress(servers []string) (string, bool) {
	for _, server := range servers {
		_, errAddr := netip.ParseAddr(server)
		_, errPort := netip.ParseAddrPort(server)
		if errAddr != nil && errPort != nil && !strings.HasPrefix(server, "https://") {
			return server, true
		}
	}
	return "", false
}

// fqdn is the full name of a device, with the final dot.
func (t *tailnet) fqdn(d *device) string { return d.Name + "." + t.domain + "." }
