package validate;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.validation.FhirValidator;
import ca.uhn.fhir.validation.ResultSeverityEnum;
import ca.uhn.fhir.validation.SingleValidationMessage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r4.model.Questionnaire;

/** Validates the resources in a folder against R4, and responses against their questionnaires, which are among them. */
public final class Main {
    /**
     * Warnings that are only counted: codes of systems that are not at hand, since no terminology server is asked, and
     * the narrative that R4 recommends for people without a program.
     */
    private static final Pattern EXPECTED =
            Pattern.compile("codeSystem 'http://loinc.org' .* is not supported|CodeSystem is unknown|dom-6");

    private int errors;
    private int warnings;
    private int expected;

    private Main() {}

    public static void main(String[] arguments) throws IOException {
        List<Path> files;
        try (var listed = Files.list(Path.of(arguments[0]))) {
            files = listed.filter(file -> file.toString().endsWith(".json")).sorted().toList();
        }
        FhirValidator validator = validator(files);
        Main told = new Main();
        for (Path file : files) {
            System.out.println(file.getFileName());
            validator.validateWithResult(Files.readString(file)).getMessages().forEach(told::tell);
        }
        System.out.printf(
                "%d resources, %d errors, %d warnings; %d more of codes that cannot be looked up and of narratives%n",
                files.size(), told.errors, told.warnings, told.expected);
        System.exit(told.errors == 0 && !files.isEmpty() ? 0 : 1);
    }

    private void tell(SingleValidationMessage message) {
        if (message.getSeverity() == ResultSeverityEnum.INFORMATION) {
            return;
        }
        if (message.getSeverity() != ResultSeverityEnum.WARNING) {
            errors++;
        } else if (EXPECTED.matcher(message.getMessage()).find()) {
            expected++;
            return;
        } else {
            warnings++;
        }
        System.out.printf(
                "  %s %s: %s%n", message.getSeverity().getCode(), message.getLocationString(), message.getMessage());
    }

    private static FhirValidator validator(List<Path> files) throws IOException {
        FhirContext context = FhirContext.forR4();
        Map<String, Questionnaire> questionnaires = new HashMap<>();
        for (Path file : files) {
            if (file.getFileName().toString().startsWith("questionnaire-")) {
                String json = Files.readString(file);
                Questionnaire questionnaire = context.newJsonParser().parseResource(Questionnaire.class, json);
                questionnaires.put(questionnaire.getUrl(), questionnaire);
                questionnaires.put(questionnaire.getUrl() + "|" + questionnaire.getVersion(), questionnaire);
            }
        }
        FhirInstanceValidator instance = new FhirInstanceValidator(new ValidationSupportChain(
                new DefaultProfileValidationSupport(context),
                new Questionnaires(context, questionnaires),
                new CommonCodeSystemsTerminologyService(context),
                new InMemoryTerminologyServerValidationSupport(context)));
        return context.newValidator().registerValidatorModule(instance);
    }
}
