import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import software.amazon.event.ruler.Machine;

/** Reads {"pattern": TEXT, "event": TEXT} a line, writes match, not or invalid a line. */
public final class Oracle {
    private static final ObjectMapper JSON = new ObjectMapper();

    public static void main(final String[] arguments) throws Exception {
        final BufferedReader in =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        final PrintStream out = new PrintStream(System.out, false, "UTF-8");
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            final JsonNode pair = JSON.readTree(line);
            out.println(judge(pair.get("pattern").asText(), pair.get("event").asText()));
        }
        out.flush();
    }

    private static String judge(final String pattern, final String event) throws Exception {
        final Machine machine = new Machine();
        try {
            machine.addRule("rule", pattern);
        } catch (Exception refused) {
            return "invalid";
        }
        return machine.rulesForJSONEvent(event).isEmpty() ? "not" : "match";
    }
}
