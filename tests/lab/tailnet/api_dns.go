package main

import (
	"fmt"
	"net/http"
)

func (s *server) dnsRoutes(mux *http.ServeMux) {
	const dns = "/api/v2/tailnet/{tailnet}/dns"
	read, write := reads("dns"), writes("dns")
	mux.HandleFunc("GET "+dns+"/split-dns", endpoint(s, read, getSplitDNS))
	mux.HandleFunc("PUT "+dns+"/split-dns", endpoint(s, write, putSplitDNS))
	mux.HandleFunc("PATCH "+dns+"/split-dns", endpoint(s, write, patchSplitDNS))
	mux.HandleFunc("GET "+dns+"/nameservers", endpoint(s, read, getNameservers))
	mux.HandleFunc("POST "+dns+"/nameservers", endpoint(s, write, setNameservers))
	mux.HandleFunc("GET "+dns+"/searchpaths", endpoint(s, read, getSearchPaths))
	mux.HandleFunc("POST "+dns+"/searchpaths", endpoint(s, write, setSearchPaths))
	mux.HandleFunc("GET "+dns+"/preferences", endpoint(s, read, getPreferences))
	mux.HandleFunc("POST "+dns+"/preferences", endpoint(s, write, setPreferences))
}

// splitDNS maps a domain to its name servers.
type splitDNS map[string][]string

func getSplitDNS(c *call, _ nothing) (any, error) {
	if c.state.DNS.Split == nil {
		return splitDNS{}, nil
	}
	return splitDNS(c.state.DNS.Split), nil
}

// putSplitDNS replaces all of it.
func putSplitDNS(c *call, body splitDNS) (any, error) {
	c.state.DNS.Split = nil
	return patchSplitDNS(c, body)
}

// patchSplitDNS sets the domains that are named; one without name servers goes.
func patchSplitDNS(c *call, body splitDNS) (any, error) {
	split := splitDNS{}
	for domain, servers := range c.state.DNS.Split {
		split[domain] = servers
	}
	for domain, servers := range body {
		if bad, found := badAddress(servers); found {
			return nil, fmt.Errorf("invalid nameserver %q for %s", bad, domain)
		}
		split[domain] = servers
		if len(servers) == 0 {
			delete(split, domain)
		}
	}
	c.state.DNS.Split = split
	c.dnsChanged()
	return split, nil
}

type nameservers struct {
	DNS      []string `json:"dns"`
	MagicDNS *bool    `json:"magicDNS,omitempty"` // only in the answer to a change
}

func getNameservers(c *call, _ nothing) (any, error) {
	return nameservers{DNS: append([]string{}, c.state.DNS.Nameservers...)}, nil
}

func setNameservers(c *call, body nameservers) (any, error) {
	if bad, found := badAddress(body.DNS); found {
		return nil, fmt.Errorf("invalid nameserver %q", bad)
	}
	c.state.DNS.Nameservers = body.DNS
	c.dnsChanged()
	magicDNS := c.state.DNS.MagicDNS
	return nameservers{append([]string{}, body.DNS...), &magicDNS}, nil
}

type searchPaths struct {
	SearchPaths []string `json:"searchPaths"`
}

func getSearchPaths(c *call, _ nothing) (any, error) {
	return searchPaths{append([]string{}, c.state.DNS.SearchPaths...)}, nil
}

func setSearchPaths(c *call, body searchPaths) (any, error) {
	c.state.DNS.SearchPaths = body.SearchPaths
	c.dnsChanged()
	return getSearchPaths(c, nothing{})
}

type preferences struct {
	MagicDNS bool `json:"magicDNS"`
}

func getPreferences(c *call, _ nothing) (any, error) {
	return preferences{c.state.DNS.MagicDNS}, nil
}

func setPreferences(c *call, body preferences) (any, error) {
	c.state.DNS.MagicDNS = body.MagicDNS
	c.dnsChanged()
	return getPreferences(c, nothing{})
}
