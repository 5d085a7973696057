package policy_test

import (
	"errors"
	"fmt"
	"log"

	"github.com/chartseal/chartseal/abe/policy"
)

func ExampleParse() {
	p, err := policy.Parse("HospitalA:role=doctor AND (HospitalB:department=cardiology OR 2 of (X:a, Y:b, Z:c))")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(p)
	fmt.Println(p.Satisfied(policy.Holding("HospitalA:role=doctor", "X:a", "Z:c")))
	// Output:
	// HospitalA:role=doctor and (HospitalB:department=cardiology or 2 of (X:a, Y:b, Z:c))
	// true
}

func ExampleSyntaxError_Caret() {
	text := "HospitalA:role=doctor and doctor"
	_, err := policy.Parse(text)
	var e *policy.SyntaxError
	if errors.As(err, &e) {
		fmt.Println(e)
		fmt.Println(e.Caret(text))
		fmt.Println(e.Hint)
	}
	// Output:
	// policy: line 1, column 27: attribute "doctor": names no authority
	// HospitalA:role=doctor and doctor
	//                           ^
	// write MSPID:name=value, for example HospitalA:role=doctor
}

func ExamplePolicy_Lint() {
	p, err := policy.Parse("HospitalA:role=docter or HospitalB:role=doctor and HospitalC:senior")
	if err != nil {
		log.Fatal(err)
	}
	r := p.Lint([]string{"HospitalA:role=doctor", "HospitalB:role=doctor", "HospitalC:senior"})
	fmt.Println("could open alone:", r.Alone)
	fmt.Println("could open together:", r.Pairs)
	for _, u := range r.Unpublished {
		fmt.Println(u.Attribute, "is not published; did you mean", u.Suggestions[0])
	}
	// Output:
	// could open alone: [HospitalA]
	// could open together: [[HospitalB HospitalC]]
	// HospitalA:role=docter is not published; did you mean HospitalA:role=doctor
}

func ExamplePolicy_Missing() {
	p, err := policy.Parse("HospitalA:role=doctor and (HospitalB:board or HospitalC:board)")
	if err != nil {
		log.Fatal(err)
	}
	for _, set := range p.Missing(policy.Holding("HospitalA:role=doctor"), 3) {
		fmt.Println(set)
	}
	// Output:
	// [HospitalB:board]
	// [HospitalC:board]
}
