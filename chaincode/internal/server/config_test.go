package server

import (
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFromEnv(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue("peer0")
	otherCert, _ := ca.issue("other")
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, []byte(cert), 0o600); err != nil {
		t.Fatal(err)
	}
	base := map[string]string{envAddress: "127.0.0.1:9999", envPackage: "chartseal:abc", envMSP: "HospitalA", envHospitals: "HospitalA, HospitalB"}
	for name, tc := range map[string]struct {
		set  map[string]string
		want string // part of the error; empty for a valid configuration
	}{
		"plain text on loopback":        {nil, ""},
		"plain text by name":            {map[string]string{envAddress: "localhost:9999"}, ""},
		"plain text to the world":       {map[string]string{envAddress: "0.0.0.0:9999"}, envCert},
		"plain text on all":             {map[string]string{envAddress: ":9999"}, envCert},
		"no address":                    {map[string]string{envAddress: ""}, envAddress + " is not set"},
		"no port":                       {map[string]string{envAddress: "127.0.0.1"}, "not host:port"},
		"no package":                    {map[string]string{envPackage: ""}, envPackage + " is not set"},
		"no MSP":                        {map[string]string{envMSP: ""}, envMSP + " is not set"},
		"no hospitals":                  {map[string]string{envHospitals: " , "}, envHospitals + " is not set"},
		"roles that amend":              {map[string]string{envAmenders: "physician, custodian"}, ""},
		"TLS":                           {map[string]string{envCert: cert, envKey: key, envAddress: "0.0.0.0:9999"}, ""},
		"TLS from a file":               {map[string]string{envCert: file, envKey: key}, ""},
		"mutual TLS":                    {map[string]string{envCert: cert, envKey: key, envClientCAs: ca.pem}, ""},
		"a certificate without its key": {map[string]string{envCert: cert}, envKey},
		"a key without its certificate": {map[string]string{envKey: key}, envCert},
		"client roots alone":            {map[string]string{envClientCAs: ca.pem}, envCert},
		"another's key":                 {map[string]string{envCert: otherCert, envKey: key}, envKey},
		"a file that is not there":      {map[string]string{envCert: "/nowhere/cert.pem", envKey: key}, "/nowhere/cert.pem"},
		"roots that are none":           {map[string]string{envCert: cert, envKey: key, envClientCAs: key}, envClientCAs},
	} {
		c, err := fromEnv(func(name string) string {
			if v, set := tc.set[name]; set {
				return v
			}
			return base[name]
		})
		switch {
		case tc.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s: got %v, want %q in it", name, err, tc.want)
		case err == nil && tc.set[envClientCAs] != "" && c.tls.ClientAuth != tls.RequireAndVerifyClientCert:
			t.Errorf("%s: clients are not verified", name)
		case err == nil && (len(c.amenders) > 0) != (tc.set[envAmenders] != ""):
			t.Errorf("%s: amenders %q", name, c.amenders)
		case err == nil && (len(c.hospitals) != 2 || c.hospitals[1] != "HospitalB"):
			t.Errorf("%s: hospitals %q", name, c.hospitals)
		case err != nil && strings.Contains(err.Error(), "PRIVATE KEY"):
			t.Errorf("%s: the error quotes a key", name)
		}
	}
	// One error lists every missing variable.
	_, err := fromEnv(func(string) string { return "" })
	for _, name := range []string{envAddress, envPackage, envMSP, envHospitals} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s is not named in %v", name, err)
		}
	}
}
