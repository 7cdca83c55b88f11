using Microsoft.EntityFrameworkCore;

namespace LlmOps.Lifecycle.Webhooks;

internal static class WebhookTables
{
    public static void Add(ModelBuilder model)
    {
        model.Entity<WebhookEndpoint>(e =>
        {
            e.ToTable("webhook_endpoints");
            e.HasIndex(x => x.Name).IsUnique();
            e.Property(x => x.Profile).HasMaxLength(32);
            e.Property(x => x.Revision).IsConcurrencyToken();
        });
        model.Entity<WebhookDelivery>(e =>
        {
            e.ToTable("webhook_deliveries");
            e.HasOne(x => x.Endpoint).WithMany().HasForeignKey(x => x.EndpointId).OnDelete(DeleteBehavior.Cascade);
            e.HasIndex(x => new { x.State, x.NotBefore });
            e.HasIndex(x => new { x.EndpointId, x.CreatedAt });
        });
        model.Entity<WebhookAttempt>(e =>
        {
            e.ToTable("webhook_attempts");
            e.HasKey(x => new { x.DeliveryId, x.Number });
            e.HasOne<WebhookDelivery>().WithMany().HasForeignKey(x => x.DeliveryId).OnDelete(DeleteBehavior.Cascade);
        });
    }
}
