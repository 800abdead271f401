import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.generic.GenericRecordBuilder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/**
 * Asks for a person to be erased, and follows the request to a stage: Apache's Kafka client and Avro alone.
 *
 * <p>Arguments: project, user id, and perhaps the stage to wait for (done). Environment: BOOTSTRAP (127.0.0.1:9092),
 * COMMANDS and OUTCOMES (dsr.commands, dsr.outcomes), SCHEMAS (the folder with our schemas), SECONDS (40 days). Exit
 * codes: 0 the stage was reached, 1 the request ended otherwise, 2 nothing more was heard in time.
 */
public final class Erase {
  private static final Set<String> ENDS =
      Set.of("done", "not_found", "cancelled", "too_late", "refused", "failed", "expired");
  private static final int FRAME = 5; // a zero byte and four of the schema's id

  public static void main(String[] arguments) throws Exception {
    String project = arguments[0], user = arguments[1], until = arguments.length > 2 ? arguments[2] : "done";
    Path schemas = Path.of(told("SCHEMAS", "../.."));
    Schema commands = new Schema.Parser().parse(schemas.resolve("dsr.commands-value/2.avsc").toFile());
    Schema outcomes = new Schema.Parser().parse(schemas.resolve("dsr.outcomes-value/1.avsc").toFile());
    String request = UUID.randomUUID().toString();
    try (KafkaConsumer<String, byte[]> consumer = atTheEnd(told("OUTCOMES", "dsr.outcomes"))) {
      publish(told("COMMANDS", "dsr.commands"), commands, erasure(commands, request, project, user));
      System.out.println("{\"request\": \"" + request + "\"}");
      System.exit(follow(consumer, outcomes, request, until));
    }
  }

  private static String told(String variable, String otherwise) {
    return System.getenv().getOrDefault(variable, otherwise);
  }

  /** The command. Its ids are made here, so that sending it twice is asking once. */
  private static GenericRecord erasure(Schema schema, String request, String project, String user) {
    long now = System.currentTimeMillis();
    Schema identity = schema.getField("subject_identities").schema().getElementType();
    GenericRecord person = new GenericRecordBuilder(identity)
        .set("identity_type", "controller_customer_id").set("identity_value", user).build();
    Schema kind = schema.getField("command").schema();
    return new GenericRecordBuilder(schema)
        .set("command_id", UUID.randomUUID().toString())
        .set("command", kind.getType() == Schema.Type.ENUM ? new GenericData.EnumSymbol(kind, "submit") : "submit")
        .set("subject_request_id", request)
        .set("subject_request_type", "erasure")
        .set("regulation", "gdpr")
        .set("submitted_time", now)
        .set("project", project)
        .set("subject_identities", List.of(person))
        .set("issued_time", now)
        .build();
  }

  /** In Avro's single-object encoding, which needs no registry. Returns when Kafka has it for good. */
  private static void publish(String topic, Schema schema, GenericRecord command) throws Exception {
    ByteBuffer value = new BinaryMessageEncoder<GenericRecord>(GenericData.get(), schema).encode(command);
    byte[] bytes = new byte[value.remaining()];
    value.get(bytes);
    Map<String, Object> config = Map.of("bootstrap.servers", told("BOOTSTRAP", "127.0.0.1:9092"), "acks", "all");
    try (var producer = new KafkaProducer<>(config, new StringSerializer(), new ByteArraySerializer())) {
      producer.send(new ProducerRecord<>(topic, bytes)).get();
    }
  }

  /** A reader of what is committed from now on; it stands at the end before the command is sent. */
  private static KafkaConsumer<String, byte[]> atTheEnd(String topic) {
    Map<String, Object> config = Map.of(
        "bootstrap.servers", told("BOOTSTRAP", "127.0.0.1:9092"),
        "isolation.level", "read_committed",
        "enable.auto.commit", "false");
    var consumer = new KafkaConsumer<>(config, new StringDeserializer(), new ByteArrayDeserializer());
    List<TopicPartition> places = consumer.partitionsFor(topic).stream()
        .map(each -> new TopicPartition(topic, each.partition())).toList();
    consumer.assign(places);
    consumer.seekToEnd(places);
    places.forEach(consumer::position);
    return consumer;
  }

  /** Outcomes are keyed by the request's id. */
  private static int follow(KafkaConsumer<String, byte[]> consumer, Schema schema, String request, String until)
      throws IOException {
    var reader = new GenericDatumReader<GenericRecord>(schema);
    Instant end = Instant.now().plusSeconds(Long.parseLong(told("SECONDS", "3456000")));
    while (Instant.now().isBefore(end)) {
      for (ConsumerRecord<String, byte[]> record : consumer.poll(Duration.ofMillis(500))) {
        if (!request.equals(record.key())) continue;
        byte[] value = record.value();
        var datum = DecoderFactory.get().binaryDecoder(value, FRAME, value.length - FRAME, null);
        GenericRecord outcome = reader.read(null, datum);
        String kind = outcome.get("kind").toString(), stage = outcome.get("stage").toString();
        System.out.printf("{\"kind\": \"%s\", \"stage\": \"%s\", \"reason\": %s}%n", kind, stage,
            outcome.get("reason") == null ? "null" : "\"" + outcome.get("reason") + "\"");
        if (kind.equals("stage") && stage.equals(until)) return 0;
        if (kind.equals("stage") && ENDS.contains(stage)) return 1;
      }
    }
    return 2;
  }
}
