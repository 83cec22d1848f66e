package main

import "net/http"

func (s *server) policyRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/v2/tailnet/{tailnet}/acl", endpoint(s, reads("policy_file"), getPolicy))
}

// policy is the one part of a policy file that the lab goes by.
type policy struct {
	TagOwners map[string][]string `json:"tagOwners"`
}

func getPolicy(c *call, _ nothing) (any, error) {
	return policy{c.state.Settings.TagOwners}, nil
}
