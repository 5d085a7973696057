package authority_test

import (
	"fmt"
	"log"
	"time"

	"github.com/chartseal/chartseal/abe/authority"
)

// A doctor of HospitalB visits HospitalA, which vouches for them in its own name.
func ExampleMapping_Grant() {
	mapping, err := authority.NewMapping("HospitalA", authority.Rules{Rules: []authority.Rule{
		{Grant: "role={role}", Values: []string{"doctor", "nurse"}},
		{Grant: "visitor=oncology", Members: []string{"HospitalB"}, When: map[string]string{"role": "doctor", "department": "oncology"}},
	}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("to publish:", mapping.Attributes())
	for _, h := range []*authority.Holder{
		{MSP: "HospitalA", EnrollmentID: "smith", Attributes: map[string]string{"role": "nurse"}},
		{MSP: "HospitalB", EnrollmentID: "jones", Attributes: map[string]string{"role": "doctor", "department": "oncology"}},
		{MSP: "HospitalB", EnrollmentID: "brown", Attributes: map[string]string{"role": "nurse"}},
	} {
		fmt.Println(h.GID(), mapping.Grant(h, time.Now()))
	}
	// Output:
	// to publish: [HospitalA:role=doctor HospitalA:role=nurse HospitalA:visitor=oncology]
	// HospitalA/smith [HospitalA:role=nurse]
	// HospitalB/jones [HospitalA:visitor=oncology]
	// HospitalB/brown []
}
